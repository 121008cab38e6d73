import type { RunEvent } from 'bailiwick'
import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'

/**
 * Sends events as server-sent events until they end or `signal` is aborted. An event's id is its sequence: a client that
 * lost its connection sends the last one it saw as `Last-Event-ID`. Deltas are not stored, so they have no id; a late
 * client gets the message as one delta, and puts it at its `offset`.
 */
export function sendEvents(c: Context, events: AsyncIterable<RunEvent>, signal: AbortSignal): Response {
  return streamSSE(c, async (stream) => {
    const gone = new Promise<void>((resolve) => {
      stream.onAbort(resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
      if (signal.aborted) resolve()
    })
    const write = async () => {
      for await (const event of events) {
        if (signal.aborted || stream.aborted) return
        const id = 'sequence' in event ? { id: String(event.sequence) } : {}
        await stream.writeSSE({ ...id, event: event.type, data: JSON.stringify(event) })
      }
    }
    // If the run or the runtime has ended, the client connects again and then learns why.
    await Promise.race([write(), gone]).catch(() => {})
  })
}
