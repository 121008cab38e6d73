// What the server reads and writes.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { BailiwickError } from 'bailiwick'

const LONGEST_BODY_BYTES = 1_000_000

/** Statuses of errors that the sender can do something about. */
const statuses = new Map([
  ['INVALID_INPUT', 400],
  ['APPROVAL_FORBIDDEN', 403],
  ['NOT_FOUND', 404],
  ['APPROVAL_CLOSED', 409],
  ['CONFLICT', 409],
  ['THREAD_BUSY', 409],
  ['QUOTA_EXCEEDED', 429],
])

/** Reads a JSON object. Who uses its properties checks them: the runtime does. */
export async function bodyOf(request: IncomingMessage) {
  const chunks = []
  let bytes = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length
    if (bytes > LONGEST_BODY_BYTES) throw refused(413, 'The body is too large.')
    chunks.push(chunk)
  }
  const body = parsed(Buffer.concat(chunks).toString())
  if (typeof body !== 'object' || body === null) throw refused(400, 'The body must be a JSON object.')
  return body
}

function parsed(text: string) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export function send(response: ServerResponse, status: number, body?: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(body === undefined ? undefined : `${JSON.stringify(body)}\n`)
}

/** Sends what useChat reads: server-sent events. The run goes on if the client leaves. */
export async function stream(response: ServerResponse, chunks: ReadableStream): Promise<void> {
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-vercel-ai-ui-message-stream': 'v1',
  })
  response.flushHeaders()
  await pipeline(Readable.fromWeb(chunks, { objectMode: true }), toEvents, response).catch(() => response.destroy())
}

async function* toEvents(chunks: AsyncIterable<unknown>) {
  for await (const chunk of chunks) yield `data: ${JSON.stringify(chunk)}\n\n`
  yield 'data: [DONE]\n\n'
}

/** Tells the sender what is wrong with the request, and nobody but you what is wrong with the server. */
export function fail(response: ServerResponse, error: unknown): void {
  const isOurs = BailiwickError.isInstance(error)
  const status = isOurs ? (statuses.get(error.code) ?? 500) : statusOf(error)
  if (status === 500) console.error(error)
  if (response.headersSent) {
    response.destroy()
    return
  }
  // What is left of the body is not read.
  response.setHeader('connection', 'close')
  send(response, status, { error: status === 500 ? 'The server failed.' : (error as Error).message })
}

function refused(status: number, message: string): Error {
  return Object.assign(new Error(message), { status })
}

function statusOf(error: unknown): number {
  return error instanceof Error && 'status' in error ? Number(error.status) : 500
}
