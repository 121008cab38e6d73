import type { Message } from '../native/message.ts'
import { Operation } from '../native/operations.ts'
import { json, nothing, type Session } from '../session/session.ts'
import { idWriter } from '../session/writers.ts'
import type { RunEvent } from '../types/events.ts'
import type { RunSummary } from '../types/runs.ts'

/** Position of a reader in a run's events. */
export interface RunPosition {
  readonly next: number
  readonly messageId: string
  readonly text: number
  readonly reasoning: number
  /** The number of the last progress of a call that it has seen. */
  readonly progress: number
}

/** New events. */
export interface RunPage {
  readonly events: readonly RunEvent[]
  readonly position: RunPosition
  /** Whether the run is running in this process. */
  readonly live: boolean
  /** Whether nothing comes after these. */
  readonly over: boolean
}

/** Reads one run's events. */
export class RunReader {
  readonly #session: Session
  readonly #runId: string

  constructor(session: Session, runId: string) {
    this.#session = session
    this.#runId = runId
  }

  /** Returns the position after this event; else the beginning. */
  start(after?: number): RunPosition {
    return { next: after === undefined ? 0 : after + 1, messageId: '', text: 0, reasoning: 0, progress: 0 }
  }

  /**
   * Waits at most a second for new events.
   *
   * @param patient whether to wait for a run that is not running, too
   */
  read({ next, messageId, text, reasoning, progress }: RunPosition, patient: boolean): Promise<RunPage> {
    const write = (message: Message) =>
      message
        .text(this.#runId)
        .optionalNumber(next)
        .text(messageId)
        .optionalNumber(text)
        .optionalNumber(reasoning)
        .optionalNumber(progress)
        .u8(patient ? 1 : 0)
    return this.#session.call(Operation.runEvents, () => write, json<RunPage>)
  }
}

/** A run as the core tells of it. Of a suspended one, `restsAt` is the sequence of the event at which it was suspended. */
export type RestingSummary = RunSummary & { readonly restsAt?: number }

/** Reads a run. Rejects with NotFoundError. */
export function readSummary(session: Session, runId: string): Promise<RestingSummary> {
  return session.call(Operation.runGet, () => idWriter('run', runId), json<RestingSummary>)
}

/** Cancels a run. Rejects with NotFoundError. */
export function cancelRun(session: Session, runId: string): Promise<void> {
  return session.call(Operation.runCancel, () => idWriter('run', runId), nothing)
}
