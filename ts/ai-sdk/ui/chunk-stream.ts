import { isUpTo, type RestingEvents, untilRest } from '../../common/until-rest.ts'
import type { RunEvent } from '../../types/events.ts'
import { type OnShownError, shownError } from './shown-error.ts'
import { type ChunkOptions, UIChunks } from './ui-chunks.ts'
import type { UIMessageChunk } from './ui-message.ts'

/** Form of a stream of chunks. */
export interface StreamOptions extends ChunkOptions {
  /** The sequence of the last event that is shown already. */
  readonly after: number | undefined
  /** Whether each prompt that was handed to the run begins a message, as in a thread. */
  readonly splits: boolean
  /** Ends the events, also while the next one is awaited. */
  readonly stop?: () => void
}

/** Returns the chunks of a run's events up to where the run rests. */
export function chunkStream(events: AsyncIterable<RunEvent>, options: StreamOptions): ReadableStream<UIMessageChunk> {
  const run = (events as Partial<RestingEvents>)[untilRest]?.()
  const iterator = (run?.events ?? events)[Symbol.asyncIterator]()
  const after = async () => options.after ?? (await run?.after)
  const chunks = chunksOf(iterator, after, options)
  return new ReadableStream<UIMessageChunk>({
    async pull(controller) {
      const { done, value } = await chunks.next()
      if (done === true) controller.close()
      else controller.enqueue(value)
    },
    async cancel() {
      options.stop?.()
      // Not that of `chunks`, which would wait for the next event.
      await iterator.return?.()
    },
  })
}

/** @param seen returns the sequence of the last event that is shown already */
async function* chunksOf(
  events: AsyncIterator<RunEvent>,
  seen: () => Promise<number | undefined>,
  options: StreamOptions,
): AsyncGenerator<UIMessageChunk, undefined> {
  const after = await seen()
  let message = new ShownMessage(undefined, options)
  for (;;) {
    const { event, errorText } = await nextOf(events, options.onError)
    if (errorText !== undefined) yield { type: 'error', errorText }
    if (event === undefined) return
    const isShown = after !== undefined && isUpTo(event, after)
    if (options.splits && event.type === 'prompt.received') {
      if (!isShown) yield* message.end()
      message = new ShownMessage(event.from, options)
    } else if (isShown) {
      // The first message of a stream that splits may be another one.
      if (!options.splits) yield* message.begin(event)
      message.pass(event)
    } else {
      yield* message.of(event)
    }
  }
}

/** One message of a stream. */
class ShownMessage {
  /** Its id if it is the answer to a prompt that was handed to the run; else the id of the run. */
  readonly #id: string | undefined
  readonly #shown: UIChunks
  #isBegun = false
  /** Whether something was shown since the last event that has a sequence. */
  #isAhead = false

  constructor(id: string | undefined, options: ChunkOptions) {
    this.#id = id
    this.#shown = new UIChunks(options)
  }

  pass(event: RunEvent): void {
    this.#shown.pass(event)
  }

  *of(event: RunEvent): Generator<UIMessageChunk> {
    const chunks = Array.from(this.#shown.of(event))
    // A message that is empty as yet is shown only for the run itself: two prompts may have one answer.
    if (this.#id === undefined || chunks.length > 0) yield* this.begin(event)
    this.#isAhead ||= chunks.some(({ type }) => !steps.has(type))
    if ('sequence' in event && this.#isAhead) {
      this.#isAhead = false
      // A reader that reads to the end of a message reads no further than that.
      chunks.splice(ends.has(chunks.at(-1)?.type) ? -1 : chunks.length, 0, upTo(event))
    }
    yield* chunks
  }

  *begin({ runId }: RunEvent): Generator<UIMessageChunk> {
    if (this.#isBegun) return
    this.#isBegun = true
    const messageId = this.#id ?? runId
    yield messageId === undefined ? { type: 'start' } : { type: 'start', messageId }
  }

  *end(): Generator<UIMessageChunk> {
    if (this.#isBegun) yield* this.#shown.end()
  }
}

/** Chunks that end a message. */
const ends: ReadonlySet<UIMessageChunk['type'] | undefined> = new Set(['abort', 'finish'] as const)

/** Chunks that alone change nothing that a page shows: a step comes with what is in it. */
const steps: ReadonlySet<UIMessageChunk['type']> = new Set(['start-step', 'finish-step'] as const)

function upTo({ runId, sequence }: Extract<RunEvent, { sequence: number }>): UIMessageChunk {
  return { type: 'data-sequence', data: { runId, sequence }, transient: true }
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
