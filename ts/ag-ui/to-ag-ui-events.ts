import type { OnShownError } from '../ai-sdk/ui/shown-error.ts'
import { type Checks, option, readOptions } from '../arguments/options.ts'
import { isUpTo, type RestingEvents, untilRest } from '../common/until-rest.ts'
import { InvalidInputError } from '../errors/index.ts'
import type { RunEvent } from '../types/events.ts'
import { AgUiRun } from './ag-ui-run.ts'
import type { AgUiEvent } from './event.ts'

/** Options of `toAgUiEvents`. */
export interface AgUiOptions {
  /** The thread: `threadId` of the client's input. Default: that of the run, if it is known. */
  readonly threadId?: string
  /** The id that the client gave its run: `runId` of its input. Default: the id of the run. */
  readonly runId?: string
  /** Returns the text that users see for an error: a failed tool, a failed run, unreadable events. Default: `An error occurred.` */
  readonly onError?: OnShownError
  /** Whether reasoning is shown. Default: true. */
  readonly sendReasoning?: boolean
  /**
   * The sequence of the last event that was sent already: what comes after it is sent. Give the events from the first on all the same. Default:
   * everything; for a run resumed by `runs.resume`, the events after its suspension.
   */
  readonly after?: number
}

const checks: Checks<AgUiOptions> = {
  threadId: option.text,
  runId: option.text,
  onError: option.function,
  sendReasoning: option.flag,
  after: option.number,
}

/**
 * Yields the events of a run (the run itself, `runs.follow`, or any of its events in order) as events of AG-UI 1.0: send each as server-sent
 * event, as `@ag-ui/client` reads them. A step is an answer of a model with the calls that follow from it; an agent that was called is a
 * subagent. Errors are masked as in `toUIMessageStream`, and data of providers is left out.
 *
 * A suspended run ends with the outcome `interrupt`: its open approvals and waits, by the ids for `approvals.respond` and `waits.settle`. Settle
 * what the client's next input resumes, and give the events of `runs.resume`, or of the run that a host has taken up: they begin another
 * run of AG-UI. A cancelled run ends with the outcome `cancelled`, a failed or limited one with `RUN_ERROR`.
 *
 * @throws InvalidInputError for an option that will not do, or if the thread is not known
 *
 * @example
 * ```ts
 * for await (const event of toAgUiEvents(run, { threadId, runId })) response.write(`data: ${JSON.stringify(event)}\n\n`)
 * ```
 */
export function toAgUiEvents(events: AsyncIterable<RunEvent>, options: AgUiOptions = {}): AsyncIterable<AgUiEvent> {
  const { threadId: given, runId, onError, sendReasoning = true, after } = readOptions(options, checks)
  const threadId = given ?? (events as { readonly threadId?: string }).threadId
  if (threadId === undefined) {
    throw new InvalidInputError('The thread of these events is not known. Pass { threadId }.')
  }
  return {
    [Symbol.asyncIterator]: () => translated(events, new AgUiRun({ threadId, runId, onError, sendReasoning }), after),
  }
}

async function* translated(
  given: AsyncIterable<RunEvent>,
  run: AgUiRun,
  seen: number | undefined,
): AsyncGenerator<AgUiEvent, undefined> {
  const resting = (given as Partial<RestingEvents>)[untilRest]?.()
  const after = seen ?? (await resting?.after)
  try {
    for await (const event of resting?.events ?? given) {
      if (after !== undefined && isUpTo(event, after)) run.pass(event)
      else yield* run.of(event)
    }
  } catch (error) {
    yield* run.broken(error)
  }
}
