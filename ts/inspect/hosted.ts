import type { IncomingMessage, ServerResponse } from 'node:http'
import { crypto } from '../ledger/crypto.ts'
import { newSecret } from './access.ts'
import { isOurs, sendAsset, sendFailure, sendFound, targetOf } from './answering.ts'
import { Refusal } from './refusal.ts'
import type { Person, Subject } from './request.ts'
import { answerFor } from './routes.ts'

/** Pages behind a host's own authentication. */
export interface Hosted {
  /** Where browsers see the pages: empty, or `/…` without a slash at its end. */
  readonly basePath: string
  /** Returns whose page a request gets and who asks. Rejects with what the page shows instead: NotFoundError, if it has none. */
  readonly find: (request: IncomingMessage) => Promise<{ readonly subject: Subject; readonly person: Person }>
  /** Receives errors that the page does not show, and whose page it was. */
  readonly tell: (error: unknown, resourceId: string) => void
}

const COOKIE = 'bailiwick-inspect'

/** Answers a request. */
export async function answerHosted(request: IncomingMessage, response: ServerResponse, hosted: Hosted): Promise<void> {
  const { basePath, find, tell } = hosted
  let resourceId = ''
  try {
    // First: without a tenant, every path and every method has one answer.
    const { subject, person } = await find(request)
    resourceId = subject.runtime.tenant.resourceId
    const target = targetOf({ method: request.method ?? '', url: pathBelow(request, basePath) })
    if (sendAsset(response, target)) return
    if (!target.isReading && !isFromHere(request)) throw new Refusal(403, 'This was not sent by the page itself.')
    if (!target.isReading && !person.mayAct) throw new Refusal(403, 'You may look here, but not decide.')
    const formToken = formTokenFor(request, response, resourceId, basePath)
    const found = await answerFor({ request, ...target, formToken, person }, subject)
    sendFound(response, found, resourceId, basePath)
  } catch (error) {
    if (!isOurs(error)) tell(error, resourceId)
    sendFailure(request, response, error, basePath)
  }
}

/** The path of a request below the mount point. Routers such as Express have removed that already. */
function pathBelow(request: IncomingMessage & { readonly originalUrl?: unknown }, basePath: string): string {
  const { url = '', originalUrl = url } = request
  if (basePath === '' || originalUrl !== url || !url.startsWith(basePath)) return url
  const rest = url.slice(basePath.length)
  if (rest === '' || rest.startsWith('?')) return `/${rest}`
  return rest.startsWith('/') ? rest : url
}

/**
 * Whether a request that changes something was sent by a page of this origin. Browsers say so themselves on `https:`; else the origin must
 * name the host that was asked.
 */
function isFromHere({ headers }: IncomingMessage): boolean {
  const { origin, host } = headers
  const site = headers['sec-fetch-site']
  if (origin === undefined || host === undefined) return false
  return site === undefined
    ? URL.canParse(origin) && new URL(origin).host === host.toLowerCase()
    : site === 'same-origin'
}

/**
 * The token of the forms: of this browser, by a cookie that no script can read, and of this tenant. It needs no memory, so any process of
 * the host takes a form that another has sent.
 */
function formTokenFor(
  { headers }: IncomingMessage,
  response: ServerResponse,
  resourceId: string,
  basePath: string,
): string {
  const start = `${COOKIE}=`
  const [given, ...others] = (headers.cookie ?? '').split('; ').filter((cookie) => cookie.startsWith(start))
  const isOne = given !== undefined && others.length === 0 && /^[\w-]{43}$/.test(given.slice(start.length))
  const secret = isOne ? given.slice(start.length) : newSecret()
  // Not strict: a link from elsewhere must not make other pages of this browser stale.
  if (!isOne) response.setHeader('Set-Cookie', `${start}${secret}; Path=${basePath}/; HttpOnly; SameSite=Lax`)
  return crypto().createHmac('sha256', secret).update(resourceId).digest('base64url')
}
