import { ClosedError } from '../errors/index.ts'
import type { Bridge } from '../native/bridge.ts'
import type { Answer, Message } from '../native/message.ts'
import type { Operation } from '../native/operations.ts'

/** Writes the arguments of a call. */
export type Write = (message: Message) => unknown

/** The calls to one store or one handle of the core, until it is closed. */
export class Session {
  readonly bridge: Bridge
  readonly #number: number
  readonly #store: Session | undefined
  #closed = false

  /** @param store the session of a handle's store: closing the store closes its handles */
  constructor(bridge: Bridge, number: number, store?: Session) {
    this.bridge = bridge
    this.#number = number
    this.#store = store
  }

  /** The number of the store or handle in the core. */
  get number(): number {
    return this.#number
  }

  get closed(): boolean {
    return this.#closed || this.#store?.closed === true
  }

  /** Marks the session as closed. Returns `false` if it was closed already. */
  close(): boolean {
    if (this.#closed) return false
    this.#closed = true
    return true
  }

  /** @throws ClosedError once the session is closed */
  assertOpen(): void {
    if (this.closed) throw new ClosedError('This runtime or its store is closed. Open it again.')
  }

  /**
   * Makes a call. Rejects with ClosedError once the session is closed, before anything else is checked.
   *
   * @param prepare checks the arguments and returns what writes them
   * @param decode reads the answer, whose bytes are gone afterwards
   */
  async call<T>(operation: Operation, prepare: () => Write, decode: (answer: Answer) => T): Promise<T> {
    this.assertOpen()
    return await this.submit(operation, prepare(), decode)
  }

  /** Makes a call whether the session is closed or not. */
  submit<T>(operation: Operation, write: Write, decode: (answer: Answer) => T): Promise<T> {
    return this.bridge.submit(operation, this, write, decode)
  }
}

/** For a call without arguments, or without an answer. */
export function nothing(): void {}

/** For a call without arguments. */
export function noArguments(): Write {
  return nothing
}

/** Reads an answer as JSON. */
export function json<T>(answer: Answer): T {
  return answer.json<T>()
}

/** Reads an answer that is yes or no. */
export function flag(answer: Answer): boolean {
  return answer.u8() === 1
}
