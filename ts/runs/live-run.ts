import { type RestingEvents, type RunUntilRest, untilRest } from '../common/until-rest.ts'
import { forCaller } from '../errors/rejection.ts'
import type { RunEvent } from '../types/events.ts'
import type { Run, RunResult } from '../types/runs.ts'
import type { RunReader } from './run-reader.ts'

export interface RunParts<O> {
  readonly runId: string
  readonly threadId?: string
  readonly reader: RunReader
  readonly result: Promise<RunResult<O>>
  /** Settled, either way, once the core has started the run. */
  readonly begun: Promise<unknown>
  readonly cancel: () => void
  /** Of a run that is resumed: the sequence of the event at which it was suspended, if it was. Never rejects. */
  readonly resumedAfter?: Promise<number | undefined>
}

/** A run that the core executes. */
export class LiveRun<O> implements Run<O>, RestingEvents {
  readonly runId: string
  /** Set once it is known; of a run that is resumed, that is with its result. */
  threadId?: string
  readonly #parts: RunParts<O>

  constructor(parts: RunParts<O>) {
    this.runId = parts.runId
    if (parts.threadId !== undefined) this.threadId = parts.threadId
    this.#parts = parts
    // The caller may never read the result.
    parts.result.then(
      ({ threadId }) => {
        this.threadId = threadId
      },
      () => {},
    )
  }

  result(): Promise<RunResult<O>> {
    return forCaller(this.#parts.result)
  }

  cancel(): void {
    this.#parts.cancel()
  }

  [untilRest](): RunUntilRest {
    return { events: this, after: this.#parts.resumedAfter ?? Promise.resolve(undefined) }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<RunEvent, undefined> {
    const { reader, result, begun } = this.#parts
    await begun
    let isSettled = false
    let position = reader.start()
    for (;;) {
      const page = await reader.read(position, false).catch(async (error: unknown) => {
        // The error of the run's start says more than NotFoundError.
        await forCaller(result)
        throw error
      })
      for (const event of page.events) yield event
      position = page.position
      if (page.live || page.events.length > 0) continue
      if (isSettled) return
      // The rest is there once the result is.
      await forCaller(result)
      isSettled = true
    }
  }
}
