import { type Checks, option, readOptions } from '../../arguments/options.ts'
import { type RestingEvents, untilRest } from '../../common/until-rest.ts'
import { InvalidInputError, NotFoundError } from '../../errors/index.ts'
import type { Approvals } from '../../types/approvals.ts'
import type { RunEvent } from '../../types/events.ts'
import type { RunStatus, RunSummary, Runs } from '../../types/runs.ts'
import type { Waits } from '../../types/waits.ts'
import { chunkStream } from './chunk-stream.ts'
import { streamChecks, streamOptions, type UIMessageStreamOptions } from './to-ui-message-stream.ts'
import type { UIMessageChunk } from './ui-message.ts'

/** Options of `resumeUIMessageStream`: those of `toUIMessageStream`, and the thread. */
export interface ResumeUIMessageStreamOptions extends UIMessageStreamOptions {
  /** The thread of the chat. */
  readonly threadId: string
  /**
   * The run that the page shows last: the id of its last answer. If no run is in progress, this one is sent again, because it may have
   * ended while the page was not connected. Default: nothing is sent then.
   */
  readonly runId?: string
}

const checks: Checks<ResumeUIMessageStreamOptions> = { threadId: option.text, runId: option.text, ...streamChecks }

/** Statuses of a run that has its thread. A run that is queued has none yet. */
const inProgress: ReadonlySet<RunStatus> = new Set(['running', 'interrupted', 'suspended'])
/** The newest runs of a thread that are looked at. Runs that wait for the thread are newer than the run that has it. */
const MOST_RUNS = 1000
const RUNS_A_PAGE = 100

/** What `resumeUIMessageStream` needs of a runtime. */
export interface ChatRuntime {
  readonly runs: Pick<Runs, 'list' | 'get' | 'follow'>
  readonly approvals: Pick<Approvals, 'get'>
  readonly waits: Pick<Waits, 'get'>
}

/**
 * Returns what a `useChat` that reconnects needs: the stream of the run in the thread that is running, interrupted or suspended, from its
 * beginning, and live until it ends or nothing of what it waits for is decided. `undefined` if there is none, and no `runId` of the thread is
 * given, also for a thread of another tenant: answer with the status 204 then. Cancelling the stream does not cancel the run.
 *
 * The text of a message that a model is still writing is included if this process works at the run; from another process, that message
 * comes whole once it is complete. A run that was interrupted, or of whose approvals or waits one was decided, goes on once a host or
 * `runs.resume` takes it up, and the stream waits for that. As in a thread, the answer to a prompt that was handed to the run
 * (`whenBusy: 'steer'`) is a message of its own, with the id of the request; AI SDK 6 and 7 begin a new message then. The newest 1,000 runs of
 * the thread are looked at.
 *
 * Rejects with InvalidInputError for an option that will not do, ClosedError, and the errors of the store.
 *
 * @example
 * ```ts
 * // GET /chat/:id/stream, which useChat({ id, resume: true }) asks for.
 * const stream = await resumeUIMessageStream(runtime, { threadId: id })
 * return stream === undefined ? new Response(null, { status: 204 }) : createUIMessageStreamResponse({ stream })
 * ```
 */
export async function resumeUIMessageStream(
  runtime: ChatRuntime,
  options: ResumeUIMessageStreamOptions,
): Promise<ReadableStream<UIMessageChunk> | undefined> {
  const { threadId, runId: shown, ...given } = readOptions(options, checks)
  if (threadId === undefined) throw new InvalidInputError('threadId is missing: name the thread of the chat.')
  if (typeof runtime?.runs?.follow !== 'function') throw new InvalidInputError('Pass the runtime of the tenant first.')
  const runId = (await runIn(runtime.runs, threadId))?.runId ?? (await answering(runtime.runs, threadId, shown))
  if (runId === undefined) return undefined
  const stopping = new AbortController()
  const events = untilUndecided(runtime, runId, stopping.signal)
  return chunkStream(events, { ...streamOptions(given), splits: true, stop: () => stopping.abort() })
}

/** Yields a run's events until it ends, or waits for what nobody has decided. */
async function* untilUndecided(runtime: ChatRuntime, runId: string, signal: AbortSignal): AsyncGenerator<RunEvent> {
  let after: number | undefined
  let last: RunEvent | undefined
  do {
    const events = runtime.runs.follow(runId, { signal, ...(after === undefined ? {} : { after }) })
    last = undefined
    for await (const event of (events as Partial<RestingEvents>)[untilRest]?.().events ?? events) {
      yield event
      last = event
      if ('sequence' in event) after = event.sequence
    }
    // It rests. If something is decided, the next events come once it is taken up.
  } while (last?.type === 'run.suspended' && !signal.aborted && !(await isUndecided(runtime, last)))
}

/** Whether all that a run waits for is open. Otherwise it goes on, or has gone on already. */
async function isUndecided(runtime: ChatRuntime, { approvals, waits = [] }: Suspended): Promise<boolean> {
  try {
    for (const { approvalId } of approvals) {
      if ((await runtime.approvals.get(approvalId)).status !== 'pending') return false
    }
    for (const { waitId } of waits) if ((await runtime.waits.get(waitId)).status !== 'open') return false
    return true
  } catch (error) {
    if (NotFoundError.isInstance(error)) return false
    throw error
  }
}

type Suspended = Extract<RunEvent, { readonly type: 'run.suspended' }>

/** Returns the run in the thread that a page shows, or the one that took its prompt. */
async function answering(runs: ChatRuntime['runs'], threadId: string, shown: string | undefined) {
  if (shown === undefined) return undefined
  try {
    const run = await runs.get(shown)
    if (run.threadId !== threadId || run.status !== 'steered') return run.threadId === threadId ? shown : undefined
    for await (const event of runs.follow(shown)) if (event.type === 'run.steered') return event.into
  } catch (error) {
    // A page may have been shown a message that no run wrote.
    if (!NotFoundError.isInstance(error)) throw error
  }
  return undefined
}

/** Returns the run that has a thread. */
async function runIn(runs: Pick<Runs, 'list'>, threadId: string): Promise<RunSummary | undefined> {
  let [seen, cursor]: [number, string | undefined] = [0, undefined]
  do {
    const page = await runs.list({ threadId, limit: RUNS_A_PAGE, ...(cursor === undefined ? {} : { cursor }) })
    const found = page.items.find(({ status }) => inProgress.has(status))
    if (found !== undefined) return found
    seen += RUNS_A_PAGE
    cursor = page.cursor
  } while (cursor !== undefined && seen < MOST_RUNS)
  return undefined
}
