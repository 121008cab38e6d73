import type { BailiwickError } from '../errors/index.ts'
import type { RunEvent } from '../types/events.ts'
import type { Run } from '../types/runs.ts'

/** A run that was refused before it began. */
export class RefusedRun implements Run<never> {
  /** Empty: nothing was begun that could be named. */
  readonly runId = ''
  readonly #error: BailiwickError

  constructor(error: BailiwickError) {
    this.#error = error
  }

  async result(): Promise<never> {
    throw this.#error
  }

  cancel(): void {}

  // biome-ignore lint/correctness/useYield: there is no event before the error
  async *[Symbol.asyncIterator](): AsyncGenerator<RunEvent> {
    throw this.#error
  }
}
