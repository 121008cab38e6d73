import type { Closable } from './guard.ts'

/** One tenant's slot in the core, and whether it may still be used. */
export class Handle implements Closable {
  /** Its number in the core. */
  readonly number: number
  readonly #store: Closable
  #closed = false

  constructor(number: number, store: Closable) {
    this.number = number
    this.#store = store
  }

  /** Closing the store closes its handles. */
  get closed(): boolean {
    return this.#closed || this.#store.closed
  }

  /** Marks it as closed; `false` if it was already. */
  close(): boolean {
    if (this.#closed) return false
    this.#closed = true
    return true
  }
}
