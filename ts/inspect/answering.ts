import type { IncomingMessage, ServerResponse } from 'node:http'
import { BailiwickError, type ErrorCode } from '../errors/index.ts'
import { Download } from './download.ts'
import { Refusal } from './refusal.ts'
import { html } from './view/html.ts'
import { icon } from './view/icon.ts'
import { layout, type Page } from './view/layout.ts'
import { liveScriptSource } from './view/live.ts'
import { style } from './view/style.ts'

const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  // Not `no-referrer`: a form would then be sent without its origin.
  'Referrer-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Cache-Control': 'no-store',
} as const

/** Nothing comes from elsewhere, and no script runs but the one of the pages. */
function policy(): { readonly 'Content-Security-Policy': string } {
  const scripts = `script-src ${liveScriptSource()}; connect-src 'self'`
  const rest = "style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
  return { 'Content-Security-Policy': `default-src 'none'; ${scripts}; ${rest}` }
}

/** A request, read. */
export interface Target {
  readonly path: string
  readonly search: URLSearchParams
  /** Whether nothing may change. */
  readonly isReading: boolean
}

/** @throws Refusal for another method, and for what is no path on this server */
export function targetOf({ method, url = '' }: Pick<IncomingMessage, 'method' | 'url'>): Target {
  const isReading = method === 'GET' || method === 'HEAD'
  if (!isReading && method !== 'POST') throw new Refusal(405, 'This page takes GET and POST.')
  const [path = '', query = ''] = url.split(/\?(.*)/s)
  if (!path.startsWith('/')) throw new Refusal(400, 'The request is for another server.')
  return { path, search: new URLSearchParams(query), isReading }
}

/** Sends the style or the icon of the pages if the request is for one. */
export function sendAsset(response: ServerResponse, { path, isReading }: Target): boolean {
  if (isReading && path === '/style.css') send(response, 200, 'text/css', style)
  else if (isReading && path === '/icon.svg') send(response, 200, 'image/svg+xml', icon)
  else return false
  return true
}

/** Sends a page, a file, or the path that a redirect leads to. `basePath`: where the pages are mounted, empty or `/…`. */
export function sendFound(
  response: ServerResponse,
  found: Page | Download | string,
  resourceId: string,
  basePath = '',
): void {
  if (found instanceof Download) sendFile(response, found)
  else if (typeof found === 'string')
    response.writeHead(303, { ...headers, ...policy(), Location: basePath + found }).end()
  else sendPage(response, 200, layout(found, resourceId), basePath)
}

/** Sends what a tenant has stored: it is saved, and nothing shows or runs it, whatever it says that it is. */
function sendFile(response: ServerResponse, { name, content }: Download): void {
  response
    .writeHead(200, {
      ...headers,
      'Content-Security-Policy': "default-src 'none'; sandbox",
      'Content-Type': 'application/octet-stream',
      'Content-Disposition': `attachment; filename="${name}"`,
      'Content-Length': Buffer.byteLength(content),
    })
    .end(content)
}

/** HTTP status of each error of a handle. The default is 500. */
const statuses: { readonly [code in ErrorCode]?: number } = {
  INVALID_INPUT: 400,
  NOT_FOUND: 404,
  CONFLICT: 409,
  APPROVAL_CLOSED: 409,
  APPROVAL_FORBIDDEN: 403,
  WAIT_CLOSED: 409,
  STORE_UNAVAILABLE: 503,
  OUTCOME_UNKNOWN: 503,
  CLOSED: 503,
  QUOTA_EXCEEDED: 507,
}

/** Sends the page of an error. It shows nothing of a tenant, and the message of an error only if it is one of ours. */
export function sendFailure(request: IncomingMessage, response: ServerResponse, error: unknown, basePath = ''): void {
  const status = statusOf(error)
  const message = isOurs(error) ? error.message : 'The page could not be made: internal error, please report it.'
  const body = html`<p class="notice bad" role="alert">${message}</p><p><a href="/">To the overview</a></p>`
  const page: Page = { title: status === 404 ? 'Not found' : 'That did not work', section: undefined, body }
  // An unread rest of a body must not be taken for the next request.
  if (!request.complete) response.setHeader('Connection', 'close')
  sendPage(response, status, layout(page, undefined), basePath)
}

/** Whether the message of an error may be shown. */
export function isOurs(error: unknown): error is Error {
  return error instanceof Refusal || BailiwickError.isInstance(error)
}

function statusOf(error: unknown): number {
  if (error instanceof Refusal) return error.status
  return (BailiwickError.isInstance(error) ? statuses[error.code] : undefined) ?? 500
}

/** Sends a document whose links are paths below `basePath`. */
export function sendPage(response: ServerResponse, status: number, page: string, basePath = ''): void {
  // Text has no double quotes in a document, so this finds nothing but the attributes of the templates.
  send(response, status, 'text/html', page.replaceAll(/ (href|src|action)="\//g, ` $1="${basePath}/`))
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  if (response.headersSent) return
  response.writeHead(status, { ...headers, ...policy(), 'Content-Type': `${type}; charset=utf-8` }).end(body)
}
