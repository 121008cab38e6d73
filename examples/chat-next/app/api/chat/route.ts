import { createUIMessageStreamResponse } from 'ai'
import { fromUIMessages, type GivenUIMessage, toUIMessageStream } from 'bailiwick/ai-sdk'
import { z } from 'zod'
import { answer } from '../../../lib/caller.ts'
import { referenceOf, shownError } from '../../../lib/chats.ts'

const LARGEST_BODY = 8 * 1024 * 1024
const body = z.object({ id: z.uuid(), messages: z.array(z.looseObject({ id: z.string().max(200) })).min(1) })

/** Begins a run for a message, and sends its answer. If the browser goes away, the run goes on. */
export function POST(request: Request): Promise<Response> {
  return answer(async ({ runtime, name }) => {
    // Files are in the body, and Next.js does not limit it. NaN: the browser did not say how long it is.
    if (!(Number(request.headers.get('content-length') ?? Number.NaN) <= LARGEST_BODY)) {
      return new Response('The files are too large: 8 MB is the limit.', { status: 413 })
    }
    const { success, data } = body.safeParse(await request.json().catch(() => undefined))
    if (!success) return new Response('The body must be what useChat sends.', { status: 400 })
    const { id, messages } = data
    const prompt = await fromUIMessages(messages as unknown as GivenUIMessage[], {
      references: runtime.references,
      referenceOf,
    })
    // The page sends a message again if the connection breaks before the answer begins: the same key is the same run.
    const run = runtime.query({ prompt, threadId: id, actor: name, requestKey: `${id} ${messages.at(-1)?.id}` })
    // A run that is refused (the chat is busy) rejects here, while the status can still be set.
    for await (const _first of run) break
    return createUIMessageStreamResponse({ stream: toUIMessageStream(run, { onError: shownError }) })
  })
}
