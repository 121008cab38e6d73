import { BailiwickError, type ErrorCode, type RunEvent, type Runtime, type Host as Shops } from 'bailiwick'
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { HTTPException } from 'hono/http-exception'
import { secureHeaders } from 'hono/secure-headers'
import { z } from 'zod'
import { sendEvents } from './events.ts'
import { type Identity, type Issuer, identify } from './identity.ts'

const LONGEST_BODY_BYTES = 64 << 10
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** The parts of a host. */
export interface HostParts {
  readonly trusted: Issuer
  /** Serves all tenants. */
  readonly shops: Shops
  /** Receives the errors that clients do not see. */
  readonly log?: (error: unknown) => void
}

type Env = { Variables: { identity: Identity; runtime: Runtime } }

const text = z.string().min(1)
// The tenant of a body is only compared with the token's.
const queryBody = z.strictObject({ prompt: text, threadId: text.exactOptional(), tenant: z.string().exactOptional() })
const decisionBody = z.strictObject({ decision: z.enum(['approve', 'reject']), reason: z.string().exactOptional() })
const pageQuery = z.object({ limit: z.coerce.number().exactOptional(), cursor: z.string().exactOptional() })
const eventId = z.string().regex(/^\d{1,15}$/, 'Last-Event-ID must be the id of an event of this run.')

/** The HTTP status of each error of a runtime: one for a class, so that absent and foreign are indistinguishable. */
const statuses: { readonly [C in ErrorCode]: 400 | 403 | 404 | 409 | 429 | 500 | 503 | 504 } = {
  INVALID_INPUT: 400,
  TENANT_MISMATCH: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  THREAD_BUSY: 409,
  APPROVAL_CLOSED: 409,
  APPROVAL_FORBIDDEN: 403,
  WAIT_CLOSED: 409,
  QUOTA_EXCEEDED: 429,
  STORE_LOCKED: 503,
  STORE_UNAVAILABLE: 503,
  CLOSED: 503,
  OUTCOME_UNKNOWN: 504,
  SPEC_INVALID: 500,
  STORE_CORRUPT: 500,
  INTERNAL: 500,
}

/**
 * The routes. Each uses the runtime of the token's tenant, so ids in a path are looked up there and nowhere else: no route
 * has to check the owner. Streams end when `closing` is aborted.
 */
export function hostApp({ trusted, shops, log = console.error }: HostParts, closing: AbortSignal): Hono<Env> {
  const app = new Hono<Env>()
  app.onError((error, c) => {
    const code = BailiwickError.isInstance(error) ? error.code : error instanceof HTTPException ? 'REFUSED' : 'INTERNAL'
    const status = error instanceof HTTPException ? error.status : statuses[code as ErrorCode]
    if (status >= 500) log(error)
    return c.json({ error: { code, message: status === 500 ? 'The host failed.' : error.message } }, status)
  })
  app.notFound(() => refuse(404, 'There is no such route.'))
  app.use(secureHeaders())
  app.use(async (c, next) => {
    const identity = await identify(c.req.header('Authorization') ?? '', trusted)
    if (identity === undefined) {
      c.header('WWW-Authenticate', 'Bearer')
      return refuse(401, 'Send a valid token: Authorization: Bearer …')
    }
    c.set('identity', identity)
    c.set('runtime', await shops.runtime(identity.tenant))
    await next()
    c.header('Cache-Control', 'private, no-store')
  })
  const onError = (c: Context) => {
    // The rest of the body is not read, so no other request can use this connection.
    c.header('Connection', 'close')
    return refuse(413, 'The body is too large.')
  }
  app.use(bodyLimit({ maxSize: LONGEST_BODY_BYTES, onError }))

  /** The run goes on when the client disconnects; only `cancel` ends it. */
  const stream = (c: Context<Env>, runId: string, events: (signal: AbortSignal) => AsyncIterable<RunEvent>) => {
    const left = Math.max(0, c.var.identity.expiresAt - trusted.now())
    const expiry = AbortSignal.timeout(Math.min(left, LONGEST_TIMER_MS))
    const signal = AbortSignal.any([closing, c.req.raw.signal, expiry])
    c.header('Content-Location', `/runs/${runId}/events`)
    return sendEvents(c, events(signal), signal)
  }
  app.post('/query', async (c) => {
    const { runtime, identity } = c.var
    const run = runtime.query({ ...read(queryBody, await json(c)), actor: identity.actor })
    // A refused run rejects here, while the status can still be set.
    for await (const _first of run) break
    return stream(c, run.runId, () => run)
  })
  app.get('/runs/:id', async (c) => c.json(await c.var.runtime.runs.get(c.req.param('id'))))
  app.get('/runs/:id/events', async (c) => {
    const { runs } = c.var.runtime
    const last = c.req.header('Last-Event-ID') ?? ''
    const after = last === '' ? {} : { after: Number(read(eventId, last)) }
    const { runId } = await runs.get(c.req.param('id'))
    return stream(c, runId, (signal) => runs.follow(runId, { ...after, signal }))
  })
  app.post('/runs/:id/cancel', async (c) => {
    await c.var.runtime.runs.cancel(c.req.param('id'))
    return c.body(null, 204)
  })

  app.get('/approvals', async (c) => c.json(await c.var.runtime.approvals.pending(read(pageQuery, c.req.query()))))
  app.get('/approvals/:id', async (c) => c.json(await c.var.runtime.approvals.get(c.req.param('id'))))
  app.post('/approvals/:id', async (c) => {
    const { runtime, identity } = c.var
    // Before any look-up, so that the answer depends on the token alone.
    if (!identity.mayApprove) return refuse(403, 'Your token does not have this scope.')
    const decision = { ...read(decisionBody, await json(c)), actor: identity.actor }
    return c.json(await runtime.approvals.respond(c.req.param('id'), decision))
  })

  app.get('/threads/:id/messages', async (c) =>
    c.json(await c.var.runtime.threads.messages(c.req.param('id'), read(pageQuery, c.req.query()))),
  )
  app.get('/references/:id', async (c) => {
    const { bytes } = await c.var.runtime.references.resolve(c.req.param('id'))
    // A browser must not show or run a tenant's bytes under the host's origin.
    const headers = { 'Content-Disposition': 'attachment', 'Content-Type': 'application/octet-stream' }
    return c.body(bytes as Uint8Array<ArrayBuffer>, 200, headers)
  })
  return app
}

function refuse(status: 400 | 401 | 403 | 404 | 413, message: string): never {
  throw new HTTPException(status, { message })
}

function json(c: Context): Promise<unknown> {
  return c.req.json().catch(() => refuse(400, 'The body must be JSON.'))
}

function read<T>(schema: z.ZodType<T>, given: unknown): T {
  const { data, error } = schema.safeParse(given)
  return error === undefined ? (data as T) : refuse(400, z.prettifyError(error))
}
