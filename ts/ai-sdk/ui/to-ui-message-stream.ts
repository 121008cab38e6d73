import { type Checks, option, readOptions } from '../../arguments/options.ts'
import { type RestingEvents, untilRest } from '../../common/until-rest.ts'
import type { RunEvent } from '../../types/events.ts'
import { type OnShownError, shownError } from './shown-error.ts'
import { UIChunks } from './ui-chunks.ts'
import type { UIMessageChunk } from './ui-message.ts'

/** Options of `toUIMessageStream`. */
export interface UIMessageStreamOptions {
  /**
   * Returns the text that users see for an error: a failed tool, a failed run, unreadable events. Default:
   * `An error occurred.` for all of them, because an error's text may name hosts, accounts and passwords. It gets an Error,
   * with the `code` of the failure.
   */
  readonly onError?: OnShownError
  /** Whether reasoning is shown. Default: true. */
  readonly sendReasoning?: boolean
  /** As in the `ai` package. The events of a run name no sources, so nothing is added. */
  readonly sendSources?: boolean
  /**
   * The sequence of the last event that the message shows already: what comes after it is sent. Give the events from the first
   * on all the same. Default: everything; for a run resumed by `runs.resume`, the events after its suspension.
   */
  readonly after?: number
  /**
   * Form in which a message is taken back whose model broke off and is retried. `reset-step`: by the chunk of that name, which AI SDK 7
   * has and refuses before. `mark` (default): by a part `data-discarded` behind the parts that do not count;
   * `withoutDiscarded` leaves them out.
   */
  readonly discard?: 'mark' | 'reset-step'
}

const checks: Checks<UIMessageStreamOptions> = {
  onError: option.function,
  sendReasoning: option.flag,
  sendSources: option.flag,
  after: option.number,
  discard: option.text,
}

/**
 * The events of a run as the stream that `useChat` of the AI SDK reads; give it to `createUIMessageStreamResponse`. The
 * answer is one message with the id of the run: its texts, its reasoning and its tool calls (parts `tool-<name>`), as
 * `toUIMessages` shows them afterwards. What an agent does that was called is preliminary output of its call. Approvals,
 * plans and references come as data parts (`data-approval`, `data-plan`, `data-reference`), each again when it changes. Data
 * of providers, such as signatures, is left out. The stream ends with the run, or when it is suspended. Cancelling the stream
 * ends the iteration and not the run.
 *
 * @example
 * ```ts
 * const run = runtime.query({ prompt, threadId })
 * return createUIMessageStreamResponse({ stream: toUIMessageStream(run) })
 * ```
 */
export function toUIMessageStream(
  events: AsyncIterable<RunEvent>,
  options: UIMessageStreamOptions = {},
): ReadableStream<UIMessageChunk> {
  const { onError, sendReasoning = true, discard = 'mark', after: seen } = readOptions(options, checks)
  const run = (events as Partial<RestingEvents>)[untilRest]?.()
  const iterator = (run?.events ?? events)[Symbol.asyncIterator]()
  const shown = new UIChunks({ onError, sendReasoning, discard })
  let isBegun = false
  return new ReadableStream<UIMessageChunk>({
    async pull(controller) {
      const after = seen ?? (await run?.after)
      // A pull that enqueues nothing is not repeated.
      for (let chunks = 0; chunks === 0; ) {
        const { event, errorText } = await nextOf(iterator, onError)
        if (errorText !== undefined) controller.enqueue({ type: 'error', errorText })
        if (event === undefined) return controller.close()
        if (!isBegun) {
          isBegun = true
          chunks += 1
          controller.enqueue(event.runId === undefined ? { type: 'start' } : { type: 'start', messageId: event.runId })
        }
        if (after !== undefined && isUpTo(event, after)) {
          shown.pass(event)
          continue
        }
        for (const chunk of shown.of(event)) {
          chunks += 1
          controller.enqueue(chunk)
        }
      }
    },
    async cancel() {
      await iterator.return?.()
    },
  })
}

/** Whether an event is that of a sequence, or came before it. */
function isUpTo(event: RunEvent, sequence: number): boolean {
  return 'sequence' in event ? event.sequence <= sequence : event.after < sequence
}

async function nextOf(
  iterator: AsyncIterator<RunEvent>,
  onError: OnShownError | undefined,
): Promise<{ readonly event?: RunEvent | undefined; readonly errorText?: string }> {
  try {
    const { done, value } = await iterator.next()
    return { event: done === true ? undefined : value }
  } catch (error) {
    return { errorText: shownError(error, onError) }
  }
}
