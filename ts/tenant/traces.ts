import { type Checks, option, readOptions } from '../arguments/options.ts'
import { isAborted, unlessAborted } from '../arguments/signals.ts'
import { ClosedError } from '../errors/index.ts'
import type { Answer, Message } from '../native/message.ts'
import { Operation } from '../native/operations.ts'
import { json, type Session } from '../session/session.ts'
import { pageChecks, writePage } from '../session/writers.ts'
import type { TraceEvent, Traces } from '../types/events.ts'
import type { Page } from '../types/page.ts'

type ListOptions = NonNullable<Parameters<Traces['list']>[0]>
type FollowOptions = NonNullable<Parameters<Traces['follow']>[0]>

const listChecks: Checks<ListOptions> = { runId: option.text, ...pageChecks }
const followChecks: Checks<FollowOptions> = { signal: option.signal }

/** The next event that belongs to no run, and the next of a run, as the core counts them. */
type Position = readonly [host: number, runs: number]

interface Batch {
  readonly events: readonly TraceEvent[]
  /** Position of the next batch; `null` at the end. */
  readonly next: Position | null
}

export class TenantTraces implements Traces {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  list(options: ListOptions = {}): Promise<Page<TraceEvent>> {
    const prepare = () => {
      const { runId = '', ...page } = readOptions(options, listChecks)
      return (message: Message) => writePage(message.text(runId), page)
    }
    return this.#session.call(Operation.tracesList, prepare, json<Page<TraceEvent>>)
  }

  follow(options: FollowOptions = {}): AsyncIterable<TraceEvent> {
    this.#session.assertOpen()
    const { signal } = readOptions(options, followChecks)
    return { [Symbol.asyncIterator]: () => this.#events(signal) }
  }

  async *#events(signal: AbortSignal | undefined): AsyncGenerator<TraceEvent, undefined> {
    const ended = () => isAborted(signal) || this.#session.closed
    let next: Position | null | undefined = await this.#ask(Operation.tracesEnd, undefined, signal, (answer) =>
      answer.json<Position>(),
    )
    // A call that waits is answered after a second at the latest, so that the end of the handle is noticed.
    while (next !== undefined && next !== null && !ended()) {
      const batch: Batch | undefined = await this.#ask(Operation.tracesNext, next, signal, (answer) =>
        answer.json<Batch>(),
      )
      for (const event of batch?.events ?? []) {
        if (ended()) return
        yield event
      }
      next = batch?.next
    }
  }

  /** Returns the answer of a call, or `undefined` once there is nothing left to follow. */
  async #ask<T>(
    operation: Operation,
    after: Position | undefined,
    signal: AbortSignal | undefined,
    decode: (answer: Answer) => T,
  ): Promise<T | undefined> {
    if (isAborted(signal) || this.#session.closed) return undefined
    const write = (message: Message) => message.optionalNumber(after?.[0]).optionalNumber(after?.[1])
    const answer = this.#session.submit(operation, write, decode).catch((error: unknown) => {
      if (ClosedError.isInstance(error)) return undefined
      throw error
    })
    return await unlessAborted(answer, signal)
  }
}
