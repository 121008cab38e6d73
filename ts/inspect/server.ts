import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { BailiwickError, type ErrorCode } from '../errors/index.ts'
import { Access } from './access.ts'
import type { Subject } from './request.ts'
import { answerFor } from './routes.ts'
import { Refusal } from './view/form.ts'
import { html } from './view/html.ts'
import { icon } from './view/icon.ts'
import { enteredPage, layout, type Page } from './view/layout.ts'
import { style } from './view/style.ts'

/** The address that this machine alone reaches. Nothing else is ever listened on. */
const LOOPBACK = '127.0.0.1'

/** A page that is being served. */
export interface Inspector {
  /** The link that starts the session. It is good once. */
  readonly url: string
  /** Stops serving; open connections are cut. */
  close(): Promise<void>
}

/** No page of ours has a script, and nothing comes from elsewhere. */
const headers = {
  'Content-Security-Policy':
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  // Not `no-referrer`: a form would then be sent without its origin.
  'Referrer-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Cache-Control': 'no-store',
} as const

/**
 * Serves the page of one tenant to one browser of this machine.
 *
 * @param port 0: one that is free
 * @throws the system's error if the port cannot be listened on
 */
export async function startInspector(subject: Subject, port: number): Promise<Inspector> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, LOOPBACK, resolve)
  })
  const { origin } = new URL(`http://${LOOPBACK}:${(server.address() as AddressInfo).port}`)
  const access = new Access(origin)
  server.on('request', (request, response) => {
    answer(request, response, subject, access).catch((error: unknown) => fail(request, response, error))
  })
  return {
    url: `${origin}/enter?token=${access.token}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  subject: Subject,
  access: Access,
): Promise<void> {
  if (!access.isForHere(request)) throw new Refusal(421, 'This page is reached by the address that was printed alone.')
  const isReading = request.method === 'GET' || request.method === 'HEAD'
  if (!isReading && request.method !== 'POST') throw new Refusal(405, 'This page takes GET and POST.')
  const { path, search } = targetOf(request)
  if (isReading && path === '/style.css') return send(response, 200, 'text/css', style)
  if (isReading && path === '/icon.svg') return send(response, 200, 'image/svg+xml', icon)
  if (isReading && path === '/enter') return enter(request, response, access, search)
  if (!access.isKnown(request)) {
    throw new Refusal(403, 'Open the link that the command printed. It is good once; for another, start it again.')
  }
  if (!isReading && !access.isFromHere(request)) throw new Refusal(403, 'This was not sent by the page itself.')
  const found = await answerFor({ request, path, search, isReading, formToken: access.formToken }, subject)
  if (typeof found === 'string') {
    response.writeHead(303, { ...headers, Location: found }).end()
    return
  }
  sendPage(response, 200, layout(found, subject.runtime.tenant))
}

function enter(request: IncomingMessage, response: ServerResponse, access: Access, search: URLSearchParams): void {
  // A HEAD, as programs send that preview links, must not use the token up.
  const cookie = request.method === 'GET' ? access.exchange(search.get('token') ?? '') : undefined
  if (cookie === undefined) {
    throw new Refusal(403, 'This link was used already or is not the one printed. Start the command again for another.')
  }
  response.setHeader('Set-Cookie', cookie)
  // A page and not a redirect: the browser sends the strict cookie with what a page of ours asks for.
  sendPage(response, 200, enteredPage)
}

/** @throws Refusal for what is no path on this server */
function targetOf({ url = '' }: IncomingMessage): { path: string; search: URLSearchParams } {
  const [path = '', query = ''] = url.split(/\?(.*)/s)
  if (!path.startsWith('/')) throw new Refusal(400, 'The request is for another server.')
  return { path, search: new URLSearchParams(query) }
}

/** HTTP status of each error of a handle. The default is 500. */
const statuses: { readonly [code in ErrorCode]?: number } = {
  INVALID_INPUT: 400,
  NOT_FOUND: 404,
  CONFLICT: 409,
  APPROVAL_CLOSED: 409,
  WAIT_CLOSED: 409,
  STORE_UNAVAILABLE: 503,
  OUTCOME_UNKNOWN: 503,
  CLOSED: 503,
}

function fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  const status = statusOf(error)
  const isOurs = error instanceof Refusal || BailiwickError.isInstance(error)
  const message = isOurs ? (error as Error).message : 'The page could not be made: internal error, please report it.'
  const body = html`<p class="notice bad" role="alert">${message}</p><p><a href="/">To the overview</a></p>`
  const page: Page = { title: status === 404 ? 'Not found' : 'That did not work', section: undefined, body }
  // An unread rest of a body must not be taken for the next request.
  if (!request.complete) response.setHeader('Connection', 'close')
  sendPage(response, status, layout(page, undefined))
}

function statusOf(error: unknown): number {
  if (error instanceof Refusal) return error.status
  return (BailiwickError.isInstance(error) ? statuses[error.code] : undefined) ?? 500
}

function sendPage(response: ServerResponse, status: number, page: string): void {
  send(response, status, 'text/html', page)
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  if (response.headersSent) return
  response.writeHead(status, { ...headers, 'Content-Type': `${type}; charset=utf-8` }).end(body)
}
