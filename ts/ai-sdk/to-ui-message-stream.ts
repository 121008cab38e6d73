import { BailiwickError } from '../errors/index.ts'
import { type ShownEvent, UIChunks } from './ui-chunks.ts'
import type { UIMessageChunk } from './ui-message.ts'

/**
 * The events of a run as the stream that `useChat` of the AI SDK reads; give it to `createUIMessageStreamResponse`. The
 * answer is one message with the id of the run: its texts, its reasoning and its tool calls (parts `tool-<name>`). Approvals,
 * plans and references come as data parts (`data-approval`, `data-plan`, `data-reference`), each again when it changes. Data
 * of providers, such as signatures, is left out. Cancelling the stream ends the iteration and not the run.
 *
 * @example
 * ```ts
 * const run = runtime.query({ prompt, threadId })
 * return createUIMessageStreamResponse({ stream: toUIMessageStream(run) })
 * ```
 */
export function toUIMessageStream(
  events: AsyncIterable<{ readonly type: string; readonly runId?: string }>,
): ReadableStream<UIMessageChunk> {
  const iterator = events[Symbol.asyncIterator]()
  const shown = new UIChunks()
  let isBegun = false
  return new ReadableStream<UIMessageChunk>({
    async pull(controller) {
      // A pull that enqueues nothing is not repeated.
      for (let chunks = 0; chunks === 0; ) {
        const { event, error } = await nextOf(iterator)
        if (error !== undefined) controller.enqueue({ type: 'error', errorText: error })
        if (event === undefined) return controller.close()
        if (!isBegun) {
          isBegun = true
          chunks += 1
          controller.enqueue(event.runId === undefined ? { type: 'start' } : { type: 'start', messageId: event.runId })
        }
        for (const chunk of shown.of(event as ShownEvent)) {
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

async function nextOf<Event>(
  iterator: AsyncIterator<Event>,
): Promise<{ readonly event?: Event | undefined; readonly error?: string }> {
  try {
    const { done, value } = await iterator.next()
    return { event: done === true ? undefined : value }
  } catch (error) {
    // Our own messages are fit to be shown to the tenant; nothing is known of others.
    return { error: BailiwickError.isInstance(error) ? error.message : 'The events of the run could not be read.' }
  }
}
