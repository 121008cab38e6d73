import { type Checks, type Given, option, readOptions } from '../../arguments/options.ts'
import { wordOf } from '../../common/shown-values.ts'
import { InvalidInputError } from '../../errors/index.ts'
import type { RunEvent } from '../../types/events.ts'
import { chunkStream, type StreamOptions } from './chunk-stream.ts'
import type { OnShownError } from './shown-error.ts'
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
  /**
   * Form in which a call asks for its approval. `part` (default): the part of the call has the state `approval-requested` and the id for
   * `approvals.respond`, as AI SDK 6 and 7 have it. `data`: by the part `data-approval` alone, for AI SDK 5, which refuses the other.
   */
  readonly approvals?: 'part' | 'data'
}

/** The checks of the options of `toUIMessageStream`. */
export const streamChecks: Checks<UIMessageStreamOptions> = {
  onError: option.function,
  sendReasoning: option.flag,
  sendSources: option.flag,
  after: option.number,
  discard: oneOf('mark', 'reset-step'),
  approvals: oneOf('part', 'data'),
}

function oneOf(...words: readonly string[]): (value: unknown, name: string) => void {
  return (value, name) => {
    if (typeof value === 'string' && words.includes(value)) return
    throw new InvalidInputError(
      `${name} must be ${words.map((word) => `'${word}'`).join(' or ')}, not ${wordOf(value)}.`,
    )
  }
}

/**
 * Returns the events of a run (the run itself, `runs.follow`, or any of its events in order) as the stream that `useChat` of the AI SDK
 * reads; give it to `createUIMessageStreamResponse`. The answer is one message with the id of the run: its texts, its reasoning and its tool
 * calls (parts `tool-<name>`), as `toUIMessages` shows them afterwards. What an agent does that was called is preliminary output of its call.
 *
 * A call that needs an approval asks for it in its own part, and a call that waits is one without output. Their details come as data parts
 * (`data-approval`, `data-wait`), as do plans and references (`data-plan`, `data-reference`), each again when it changes. An approval that a
 * called agent asks for is a `data-approval` alone. Data of providers, such as signatures, is left out, and so is what a wait was settled with.
 * A transient part `data-sequence` (`ShownUpTo`) says up to which event the message shows the run.
 *
 * The stream ends with the run, or when it is suspended. Cancelling the stream ends the iteration and not the run.
 *
 * @throws InvalidInputError for an option that will not do
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
  return chunkStream(events, { ...streamOptions(readOptions(options, streamChecks)), splits: false })
}

/** Returns checked options with their defaults. */
export function streamOptions(given: Given<UIMessageStreamOptions>): Omit<StreamOptions, 'splits'> {
  const { onError, sendReasoning = true, after, discard = 'mark', approvals = 'part' } = given
  return { onError, sendReasoning, after, discard, approvals }
}
