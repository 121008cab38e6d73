import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** What a provider's server is asked. */
export interface Asked {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  // biome-ignore lint/suspicious/noExplicitAny: the wire formats are what the tests look at
  readonly body: any
}

/** What it answers. */
export interface Answer {
  readonly status?: number
  readonly headers?: { readonly [name: string]: string }
  readonly body: string | Uint8Array
  /** How the answer ends: in order (default), with the connection cut, or not at all. */
  readonly ends?: 'in order' | 'cut' | 'never'
}

/** A server on this machine that answers by a script, request by request, and keeps what it was asked. */
export interface ProviderServer {
  readonly url: string
  readonly asked: readonly Asked[]
  /** Resolves once a first request has come. */
  readonly arrived: Promise<unknown>
  /** Resolves once the client has closed the connection of the last request. */
  closed(): Promise<void>
  /** Ends it, with all its connections. */
  stop(): Promise<void>
}

/** Starts a server that is gone when the test is over. It answers by a script, or always the same. */
export async function providerServer(answers: readonly Answer[] | Answer): Promise<ProviderServer> {
  const answerTo = (at: number) => (Array.isArray(answers) ? answers[at] : (answers as Answer))
  const asked: Asked[] = []
  const closings: Promise<unknown>[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    asked.push({
      path: request.url ?? '',
      headers: request.headers,
      body: JSON.parse(Buffer.concat(chunks).toString()),
    })
    closings.push(once(response, 'close'))
    write(response, answerTo(asked.length - 1) ?? { status: 500, body: 'The script of the server has run out.' })
  })
  const arrived = once(server, 'request')
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stop = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  onTestFinished(stop)
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    arrived,
    closed: async () => void (await closings.at(-1)),
    stop,
  }
}

function write(response: ServerResponse, { status = 200, headers = {}, body, ends = 'in order' }: Answer): void {
  const type = status === 200 ? 'text/event-stream' : 'application/json'
  response.writeHead(status, { 'content-type': type, ...headers })
  response.write(body, () => {
    if (ends === 'in order') response.end()
    if (ends === 'cut') response.destroy()
  })
}

/** Server-sent events as Anthropic names them: each by its data's type. */
export function anthropicEvents(events: readonly { readonly type: string; readonly [key: string]: unknown }[]): string {
  return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('')
}

/** Server-sent events as OpenAI sends them: chunks of one choice, or anything else as it is. */
export function openaiChunks(chunks: readonly (object | string)[]): string {
  return chunks.map((chunk) => `data: ${typeof chunk === 'string' ? chunk : JSON.stringify(chunk)}\n\n`).join('')
}
