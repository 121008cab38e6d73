import { ClosedError, InvalidInputError } from '../errors/index.ts'
import type { Bridge } from '../native/bridge.ts'
import { Operation } from '../native/operations.ts'
import { assertOpen, assertOptionalNumber, assertOptions, assertText } from './guard.ts'
import type { Handle } from './handle.ts'
import { assertSignal, isAborted } from './host-signal.ts'
import { notFound } from './not-found.ts'
import { pageWriter } from './page.ts'
import type { Run, RunSummary, Runs } from './run.ts'
import type { RunEvent } from './run-events.ts'
import { RunReader } from './run-reader.ts'
import type { RunStarter } from './run-starter.ts'
import type { Page } from './types.ts'
import { unlessAborted } from './unless-aborted.ts'

type ListOptions = NonNullable<Parameters<Runs['list']>[0]>
type FollowOptions = NonNullable<Parameters<Runs['follow']>[1]>

/** The runs of one handle. */
export class TenantRuns implements Runs {
  readonly #bridge: Bridge
  readonly #handle: Handle
  readonly #starter: RunStarter

  constructor(bridge: Bridge, handle: Handle, starter: RunStarter) {
    this.#bridge = bridge
    this.#handle = handle
    this.#starter = starter
  }

  async list(options: ListOptions = {}): Promise<Page<RunSummary>> {
    assertOpen(this.#handle)
    const writePage = pageWriter(options)
    const filters = [options.status, options.threadId, options.actor]
    for (const [at, name] of ['status', 'threadId', 'actor'].entries()) {
      if (filters[at] === undefined) continue
      assertText(filters[at], name)
      if (filters[at] === '') throw new InvalidInputError(`${name} must not be empty. Leave it out instead.`)
    }
    return await this.#bridge.submit(
      Operation.runsList,
      this.#handle,
      (message) => {
        for (const filter of filters) message.text(filter ?? '')
        writePage(message)
      },
      (answer) => answer.json<Page<RunSummary>>(),
    )
  }

  async get(runId: string): Promise<RunSummary> {
    assertOpen(this.#handle)
    if (!isRunId(runId)) throw notFound()
    return await this.#bridge.submit(
      Operation.runGet,
      this.#handle,
      (message) => message.text(runId),
      (answer) => answer.json<RunSummary>(),
    )
  }

  follow(runId: string, options: FollowOptions = {}): AsyncIterable<RunEvent> {
    assertOpen(this.#handle)
    assertOptions(options, 'options')
    const { after, signal } = options
    assertOptionalNumber(after, 'after')
    if (after !== undefined && !(Number.isSafeInteger(after) && after >= 0)) {
      throw new InvalidInputError(`after must be the sequence of an event, a whole number from 0 on, not ${after}.`)
    }
    assertSignal(signal)
    return { [Symbol.asyncIterator]: () => this.#events(runId, after, signal) }
  }

  async *#events(
    runId: string,
    after: number | undefined,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<RunEvent, undefined> {
    if (!isRunId(runId)) throw notFound()
    const reader = new RunReader(this.#bridge, this.#handle, runId)
    let position = reader.start(after)
    const ended = () => isAborted(signal) || this.#handle.closed
    while (!ended()) {
      const page = await unlessAborted(reader.read(position, true), signal).catch((error: unknown) => {
        if (ClosedError.isInstance(error)) return undefined
        throw error
      })
      for (const event of page?.events ?? []) {
        if (ended()) return
        yield event
      }
      if (page === undefined || page.over) return
      position = page.position
      if (page.events.some(isLast)) return
    }
  }

  resume(runId: string): Run<unknown> {
    return this.#starter.resume(runId)
  }

  async cancel(runId: string): Promise<void> {
    assertOpen(this.#handle)
    if (!isRunId(runId)) throw notFound()
    const nothing = () => {}
    await this.#bridge.submit(Operation.runCancel, this.#handle, (message) => message.text(runId), nothing)
  }
}

/** Whether it can be an id at all. What cannot is not found, like every id that is not this tenant's. */
export function isRunId(id: unknown): id is string {
  return typeof id === 'string' && /^run_[a-z2-7]{32}$/.test(id)
}

function isLast({ type }: RunEvent): boolean {
  return type === 'run.completed' || type === 'run.failed' || type === 'run.limited' || type === 'run.cancelled'
}
