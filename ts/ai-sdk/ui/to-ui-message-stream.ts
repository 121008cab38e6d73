import { type Checks, option, readOptions } from '../../arguments/options.ts'
import { wordOf } from '../../common/shown-values.ts'
import { type RestingEvents, untilRest } from '../../common/until-rest.ts'
import { InvalidInputError } from '../../errors/index.ts'
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
  /**
   * Form in which a call asks for its approval. `part` (default): the part of the call has the state `approval-requested` and the id for
   * `approvals.respond`, as AI SDK 6 and 7 have it. `data`: by the part `data-approval` alone, for AI SDK 5, which refuses the other.
   */
  readonly approvals?: 'part' | 'data'
}

const checks: Checks<UIMessageStreamOptions> = {
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
  const { onError, sendReasoning = true, after: seen, ...forms } = readOptions(options, checks)
  const { discard = 'mark', approvals = 'part' } = forms
  const run = (events as Partial<RestingEvents>)[untilRest]?.()
  const iterator = (run?.events ?? events)[Symbol.asyncIterator]()
  const shown = new UIChunks({ onError, sendReasoning, discard, approvals })
  const after = async () => seen ?? (await run?.after)
  const chunks = chunksOf(iterator, shown, after, onError)
  return new ReadableStream<UIMessageChunk>({
    async pull(controller) {
      const { done, value } = await chunks.next()
      if (done === true) controller.close()
      else controller.enqueue(value)
    },
    async cancel() {
      // Not that of `chunks`, which would wait for the next event.
      await iterator.return?.()
    },
  })
}

/** @param seen returns the sequence of the last event that is shown already */
async function* chunksOf(
  events: AsyncIterator<RunEvent>,
  shown: UIChunks,
  seen: () => Promise<number | undefined>,
  onError: OnShownError | undefined,
): AsyncGenerator<UIMessageChunk, undefined> {
  const after = await seen()
  let isBegun = false
  /** Whether something was shown since the last event that has a sequence. */
  let isAhead = false
  for (;;) {
    const { event, errorText } = await nextOf(events, onError)
    if (errorText !== undefined) yield { type: 'error', errorText }
    if (event === undefined) return
    if (!isBegun) yield event.runId === undefined ? { type: 'start' } : { type: 'start', messageId: event.runId }
    isBegun = true
    if (after !== undefined && isUpTo(event, after)) {
      shown.pass(event)
      continue
    }
    const chunks = Array.from(shown.of(event))
    isAhead ||= chunks.some(({ type }) => !steps.has(type))
    if ('sequence' in event && isAhead) {
      isAhead = false
      // A reader that reads to the end of a message reads no further than that.
      chunks.splice(ends.has(chunks.at(-1)?.type) ? -1 : chunks.length, 0, upTo(event))
    }
    yield* chunks
  }
}

/** Chunks that end a message. */
const ends: ReadonlySet<UIMessageChunk['type'] | undefined> = new Set(['abort', 'finish'] as const)

/** Chunks that alone change nothing that a page shows: a step comes with what is in it. */
const steps: ReadonlySet<UIMessageChunk['type']> = new Set(['start-step', 'finish-step'] as const)

function upTo({ runId, sequence }: Extract<RunEvent, { sequence: number }>): UIMessageChunk {
  return { type: 'data-sequence', data: { runId, sequence }, transient: true }
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
