import { type Checks, option, readOptions } from '../arguments/options.ts'
import { ClosedError } from '../errors/index.ts'
import type { Bridge } from '../native/bridge.ts'
import type { Answer, Message } from '../native/message.ts'
import { Operation } from '../native/operations.ts'
import { assertOpen } from './guard.ts'
import type { Handle } from './handle.ts'
import { isAborted } from './host-signal.ts'
import { pageChecks, writePage } from './page.ts'
import type { Page, TraceEvent, Traces } from './types.ts'
import { unlessAborted } from './unless-aborted.ts'

type ListOptions = NonNullable<Parameters<Traces['list']>[0]>
type FollowOptions = NonNullable<Parameters<Traces['follow']>[0]>

const listChecks: Checks<ListOptions> = { runId: option.text, ...pageChecks }
const followChecks: Checks<FollowOptions> = { signal: option.signal }

/** The next event that belongs to no run, and the next of a run, as the core counts them. */
type Position = readonly [host: number, runs: number]

interface Batch {
  readonly events: readonly TraceEvent[]
  /** Where to go on; `null` if nothing more will come. */
  readonly next: Position | null
}

/** The traces of one handle. */
export class TenantTraces implements Traces {
  readonly #bridge: Bridge
  readonly #handle: Handle

  constructor(bridge: Bridge, handle: Handle) {
    this.#bridge = bridge
    this.#handle = handle
  }

  async list(options: ListOptions = {}): Promise<Page<TraceEvent>> {
    assertOpen(this.#handle)
    const { runId, ...page } = readOptions(options, listChecks)
    const write = (message: Message) => writePage(message.text(runId ?? ''), page)
    return await this.#submit(Operation.tracesList, write, (answer) => answer.json<Page<TraceEvent>>())
  }

  follow(options: FollowOptions = {}): AsyncIterable<TraceEvent> {
    assertOpen(this.#handle)
    const { signal } = readOptions(options, followChecks)
    return { [Symbol.asyncIterator]: () => this.#events(signal) }
  }

  async *#events(signal: AbortSignal | undefined): AsyncGenerator<TraceEvent, undefined> {
    const ended = () => isAborted(signal) || this.#handle.closed
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

  /** What a call answers, or `undefined` if there is nothing to follow any more. */
  async #ask<T>(
    operation: Operation,
    after: Position | undefined,
    signal: AbortSignal | undefined,
    decode: (answer: Answer) => T,
  ): Promise<T | undefined> {
    if (isAborted(signal) || this.#handle.closed) return undefined
    const write = (message: Message) => message.optionalNumber(after?.[0]).optionalNumber(after?.[1])
    const answer = this.#submit(operation, write, decode).catch((error: unknown) => {
      if (ClosedError.isInstance(error)) return undefined
      throw error
    })
    return await unlessAborted(answer, signal)
  }

  #submit<T>(operation: Operation, write: (message: Message) => void, decode: (answer: Answer) => T): Promise<T> {
    return this.#bridge.submit(operation, this.#handle, write, decode)
  }
}
