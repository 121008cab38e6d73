import { type Checks, option, readOptions } from '../arguments/options.ts'
import { ClosedError, InvalidInputError } from '../errors/index.ts'
import type { Bridge } from '../native/bridge.ts'
import { Operation } from '../native/operations.ts'
import { type RestingEvents, untilRest } from '../until-rest.ts'
import { assertOpen } from './guard.ts'
import type { Handle } from './handle.ts'
import { isAborted } from './host-signal.ts'
import { notFound } from './not-found.ts'
import { pageChecks, writePage } from './page.ts'
import type { Run, RunSummary, Runs } from './run.ts'
import type { RunEvent } from './run-events.ts'
import { type RunPage, RunReader } from './run-reader.ts'
import type { RunStarter } from './run-starter.ts'
import type { Page } from './types.ts'
import { unlessAborted } from './unless-aborted.ts'

type ListOptions = NonNullable<Parameters<Runs['list']>[0]>
type FollowOptions = NonNullable<Parameters<Runs['follow']>[1]>

const listChecks: Checks<ListOptions> = {
  status: option.text,
  threadId: option.text,
  actor: option.text,
  ...pageChecks,
}
const followChecks: Checks<FollowOptions> = { after: option.number, signal: option.signal }

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
    const { status = '', threadId = '', actor = '', ...page } = readOptions(options, listChecks)
    return await this.#bridge.submit(
      Operation.runsList,
      this.#handle,
      (message) => writePage(message.text(status).text(threadId).text(actor), page),
      (answer) => answer.json<Page<RunSummary>>(),
    )
  }

  async get(runId: string): Promise<RunSummary> {
    assertOpen(this.#handle)
    if (!isRunId(runId)) throw notFound()
    const { restsAt: _, ...summary } = await readSummary(this.#bridge, this.#handle, runId)
    return summary
  }

  follow(runId: string, options: FollowOptions = {}): AsyncIterable<RunEvent> {
    assertOpen(this.#handle)
    const { after, signal } = readOptions(options, followChecks)
    if (after !== undefined && !(Number.isSafeInteger(after) && after >= 0)) {
      throw new InvalidInputError(`after must be the sequence of an event, a whole number from 0 on, not ${after}.`)
    }
    const events = (isResting: boolean): AsyncIterable<RunEvent> => ({
      [Symbol.asyncIterator]: () => this.#events(runId, after, signal, isResting),
    })
    const resting: RestingEvents = {
      [untilRest]: () => ({ events: events(true), after: Promise.resolve(undefined) }),
    }
    return Object.assign(events(false), resting)
  }

  async *#events(
    runId: string,
    after: number | undefined,
    signal: AbortSignal | undefined,
    isResting: boolean,
  ): AsyncGenerator<RunEvent, undefined> {
    if (!isRunId(runId)) throw notFound()
    const reader = new RunReader(this.#bridge, this.#handle, runId)
    let position = reader.start(after)
    let isSuspended: boolean = false
    const ended = () => isAborted(signal) || this.#handle.closed
    while (!ended()) {
      // It rests if there is nothing at hand after its suspension.
      const patient: boolean = !(isResting && isSuspended)
      const page: RunPage | undefined = await unlessAborted(reader.read(position, patient), signal).catch(
        (error: unknown) => {
          if (ClosedError.isInstance(error)) return undefined
          throw error
        },
      )
      for (const event of page?.events ?? []) {
        if (ended()) return
        yield event
      }
      if (page === undefined || page.over || (!patient && page.events.length === 0)) return
      position = page.position
      isSuspended = page.events.length === 0 ? isSuspended : page.events.at(-1)?.type === 'run.suspended'
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

/** A run as the core tells of it. Of a suspended one, `restsAt` is the sequence of the event at which it was suspended. */
export function readSummary(
  bridge: Bridge,
  handle: Handle,
  runId: string,
): Promise<RunSummary & { readonly restsAt?: number }> {
  return bridge.submit(
    Operation.runGet,
    handle,
    (message) => message.text(runId),
    (answer) => answer.json<RunSummary & { readonly restsAt?: number }>(),
  )
}

/** Whether it can be an id at all. What cannot is not found, like every id that is not this tenant's. */
export function isRunId(id: unknown): id is string {
  return typeof id === 'string' && /^run_[a-z2-7]{32}$/.test(id)
}

function isLast({ type }: RunEvent): boolean {
  return type === 'run.completed' || type === 'run.failed' || type === 'run.limited' || type === 'run.cancelled'
}
