import type { Bridge } from '../native/bridge.ts'
import { Operation } from '../native/operations.ts'
import { assertOpen } from './guard.ts'
import type { Handle } from './handle.ts'
import type { RunEvent } from './run-events.ts'

/** How far somebody has read a run's events. */
export interface RunPosition {
  readonly next: number
  readonly messageId: string
  readonly text: number
  readonly reasoning: number
}

/** What is new. */
export interface RunPage {
  readonly events: readonly RunEvent[]
  readonly position: RunPosition
  /** Whether the run is at work in this process. */
  readonly live: boolean
  /** Whether nothing comes after these. */
  readonly over: boolean
}

/** Reads one run's events. */
export class RunReader {
  readonly #bridge: Bridge
  readonly #handle: Handle
  readonly #runId: string

  constructor(bridge: Bridge, handle: Handle, runId: string) {
    this.#bridge = bridge
    this.#handle = handle
    this.#runId = runId
  }

  /** Where whoever has seen the events up to this one goes on; else the beginning. */
  start(after?: number): RunPosition {
    return { next: after === undefined ? 0 : after + 1, messageId: '', text: 0, reasoning: 0 }
  }

  /**
   * Waits a second at most for what is new.
   *
   * @param patient whether to wait for a run that is not at work, too
   */
  async read(position: RunPosition, patient: boolean): Promise<RunPage> {
    assertOpen(this.#handle)
    return await this.#bridge.submit(
      Operation.runEvents,
      this.#handle,
      (message) =>
        message
          .text(this.#runId)
          .optionalNumber(position.next)
          .text(position.messageId)
          .optionalNumber(position.text)
          .optionalNumber(position.reasoning)
          .u8(patient ? 1 : 0),
      (answer) => answer.json<RunPage>(),
    )
  }
}
