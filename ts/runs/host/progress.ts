/** Sends how far a call is: of what is shown within one turn of the event loop only the last. */
export class Progress {
  readonly #send: (text: string) => void
  #last: string | undefined

  /** @param send sends JSON text, if the call is still open */
  constructor(send: (text: string) => void) {
    this.#send = send
  }

  show(text: string): void {
    const isScheduled = this.#last !== undefined
    this.#last = text
    if (!isScheduled) setImmediate(() => this.#flush())
  }

  #flush(): void {
    const text = this.#last ?? 'null'
    this.#last = undefined
    try {
      this.#send(text)
    } catch {
      // The environment has ended.
    }
  }
}
