import { createUIMessageStreamResponse } from 'ai'
import { resumeUIMessageStream } from 'bailiwick/ai-sdk'
import { answer } from '../../../../../lib/caller.ts'
import { shownError } from '../../../../../lib/chats.ts'

/** Sends the run of a chat again, from its beginning and live to its end: after a reload, a lost connection or a decision. */
export function GET(request: Request, { params }: { params: Promise<{ id: string }> }): Promise<Response> {
  return answer(async ({ runtime }) => {
    const runId = new URL(request.url).searchParams.get('run')
    const stream = await resumeUIMessageStream(runtime, {
      threadId: (await params).id,
      ...(runId && { runId }),
      onError: shownError,
    })
    return stream === undefined ? new Response(null, { status: 204 }) : createUIMessageStreamResponse({ stream })
  })
}
