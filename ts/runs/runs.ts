import { assertId } from '../arguments/ids.ts'
import { type Checks, option, readOptions } from '../arguments/options.ts'
import { isAborted, unlessAborted } from '../arguments/signals.ts'
import { type RestingEvents, untilRest } from '../common/until-rest.ts'
import { ClosedError, InvalidInputError } from '../errors/index.ts'
import type { Message } from '../native/message.ts'
import { Operation } from '../native/operations.ts'
import { json, type Session } from '../session/session.ts'
import { pageChecks, writePage } from '../session/writers.ts'
import type { RunEvent } from '../types/events.ts'
import type { Page } from '../types/page.ts'
import type { Run, RunSummary, Runs } from '../types/runs.ts'
import { checkOnChanged } from './on-changed.ts'
import { cancelRun, type RunPage, RunReader, readSummary } from './run-reader.ts'
import type { RunStarter } from './run-starter.ts'

type ListOptions = NonNullable<Parameters<Runs['list']>[0]>
type ResumeOptions = NonNullable<Parameters<Runs['resume']>[1]>
type FollowOptions = NonNullable<Parameters<Runs['follow']>[1]>

const listChecks: Checks<ListOptions> = {
  status: option.text,
  threadId: option.text,
  actor: option.text,
  ...pageChecks,
}
const followChecks: Checks<FollowOptions> = { after: option.number, signal: option.signal }

const resumeChecks: Checks<ResumeOptions> = { onChanged: checkOnChanged }

const ends: ReadonlySet<RunEvent['type']> = new Set([
  'run.completed',
  'run.failed',
  'run.limited',
  'run.cancelled',
  'run.steered',
])

export class TenantRuns implements Runs {
  readonly #session: Session
  readonly #starter: RunStarter

  constructor(session: Session, starter: RunStarter) {
    this.#session = session
    this.#starter = starter
  }

  list(options: ListOptions = {}): Promise<Page<RunSummary>> {
    const prepare = () => {
      const { status = '', threadId = '', actor = '', ...page } = readOptions(options, listChecks)
      return (message: Message) => writePage(message.text(status).text(threadId).text(actor), page)
    }
    return this.#session.call(Operation.runsList, prepare, json<Page<RunSummary>>)
  }

  async get(runId: string): Promise<RunSummary> {
    const { restsAt: _, ...summary } = await readSummary(this.#session, runId)
    return summary
  }

  follow(runId: string, options: FollowOptions = {}): AsyncIterable<RunEvent> {
    this.#session.assertOpen()
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
    assertId('run', runId)
    const reader = new RunReader(this.#session, runId)
    let position = reader.start(after)
    let isSuspended: boolean = false
    const ended = () => isAborted(signal) || this.#session.closed
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

  resume(runId: string, options: ResumeOptions = {}): Run<unknown> {
    return this.#starter.resume(runId, () => readOptions(options, resumeChecks).onChanged)
  }

  cancel(runId: string): Promise<void> {
    return cancelRun(this.#session, runId)
  }
}

function isLast({ type }: RunEvent): boolean {
  return ends.has(type)
}
