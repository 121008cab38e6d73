import type { Run, RunEvent, Runtime, Host as Shops } from 'bailiwick'
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { secureHeaders } from 'hono/secure-headers'
import { z } from 'zod'
import { BadRequest, forbidden, type Refusal, refusalOf, tooLarge, unauthorised } from './answers.ts'
import { lastEventId, sendEvents } from './events.ts'
import { type Identity, type Issuer, identify } from './identity.ts'

const LONGEST_BODY_BYTES = 64 << 10
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Dependencies of the app. */
export interface AppParts {
  readonly trusted: Issuer
  readonly shops: Shops
  /** Aborted when the host ends: streams end with it. */
  readonly closing: AbortSignal
  /** Receives the errors that clients do not see. */
  readonly log: (error: unknown) => void
}

type Env = { Variables: { identity: Identity } }

const queryBody = z.strictObject({
  prompt: z.string().min(1),
  threadId: z.string().min(1).optional(),
  // Only compared with the token's tenant.
  tenant: z.string().optional(),
})
const decisionBody = z.strictObject({ decision: z.enum(['approve', 'reject']), reason: z.string().optional() })

/**
 * The routes. Each uses the runtime of the token's tenant, so ids in a path are looked up there and nowhere else: no route
 * has to check the owner.
 */
export function hostApp({ trusted, shops, closing, log }: AppParts): Hono<Env> {
  const app = new Hono<Env>()

  const refuse = (c: Context, { status, code, message }: Refusal) => c.json({ error: { code, message } }, status)
  const use = async (c: Context<Env>, work: (runtime: Runtime) => Promise<Response>) =>
    await work(await shops.runtime(c.var.identity.tenant))
  const streamSignal = (c: Context<Env>) => {
    const left = Math.max(0, c.var.identity.expiresAt - trusted.now())
    return AbortSignal.any([closing, c.req.raw.signal, AbortSignal.timeout(Math.min(left, LONGEST_TIMER_MS))])
  }
  const stream = (c: Context<Env>, runId: string, events: AsyncIterable<RunEvent>, signal: AbortSignal) => {
    c.header('Content-Location', `/runs/${runId}/events`)
    return sendEvents(c, events, signal)
  }
  /** The run continues when the client disconnects; only `cancel` ends it. */
  const streamRun = async (c: Context<Env>, run: Run<unknown>) => {
    // A refused run rejects here, while the status can still be set.
    for await (const _first of run) break
    return stream(c, run.runId, run, streamSignal(c))
  }

  app.onError((error, c) => {
    const refusal = refusalOf(error)
    if (refusal.status >= 500) log(error)
    return refuse(c, refusal)
  })
  app.notFound((c) => refuse(c, { status: 404, code: 'NOT_FOUND', message: 'There is no such route.' }))
  app.use(secureHeaders())
  app.use(async (c, next) => {
    const identity = await identify(c.req.header('Authorization'), trusted)
    if (identity === undefined) {
      c.header('WWW-Authenticate', 'Bearer')
      return refuse(c, unauthorised)
    }
    c.set('identity', identity)
    await next()
    c.header('Cache-Control', 'private, no-store')
    return undefined
  })
  const tooMuch = (c: Context) => {
    // The rest of the body is not read, so no other request can use this connection.
    c.header('Connection', 'close')
    return refuse(c, tooLarge)
  }
  app.use(bodyLimit({ maxSize: LONGEST_BODY_BYTES, onError: tooMuch }))

  app.post('/query', async (c) => {
    const request = await readBody(c, queryBody)
    const { actor } = c.var.identity
    return await use(c, (runtime) => streamRun(c, runtime.query({ ...withoutUndefined(request), actor })))
  })

  app.get('/runs/:id/events', (c) =>
    use(c, async (runtime) => {
      const after = lastEventId(c.req.header('Last-Event-ID'))
      const { runId } = await runtime.runs.get(c.req.param('id'))
      const signal = streamSignal(c)
      const events = runtime.runs.follow(runId, { ...(after === undefined ? {} : { after }), signal })
      return stream(c, runId, events, signal)
    }),
  )
  app.get('/runs/:id', (c) => use(c, async (runtime) => c.json(await runtime.runs.get(c.req.param('id')))))
  app.post('/runs/:id/cancel', (c) =>
    use(c, async (runtime) => {
      await runtime.runs.cancel(c.req.param('id'))
      return c.body(null, 204)
    }),
  )

  app.get('/approvals', (c) => use(c, async (runtime) => c.json(await runtime.approvals.pending(pageOf(c)))))
  app.get('/approvals/:id', (c) => use(c, async (runtime) => c.json(await runtime.approvals.get(c.req.param('id')))))
  app.post('/approvals/:id', async (c) => {
    const { actor, mayApprove } = c.var.identity
    // Before any look-up, so that the answer depends on the token alone.
    if (!mayApprove) return refuse(c, forbidden)
    const answer = withoutUndefined(await readBody(c, decisionBody))
    return await use(c, async (runtime) =>
      c.json(await runtime.approvals.respond(c.req.param('id'), { ...answer, actor })),
    )
  })

  app.get('/threads/:id/messages', (c) =>
    use(c, async (runtime) => c.json(await runtime.threads.messages(c.req.param('id'), pageOf(c)))),
  )

  app.get('/references/:id', (c) =>
    use(c, async (runtime) => {
      const { reference, bytes } = await runtime.references.resolve(c.req.param('id'))
      // A browser must not show or run a tenant's bytes under the host's origin.
      c.header('Content-Disposition', 'attachment')
      c.header('Content-Type', isMediaType(reference.mediaType) ? reference.mediaType : 'application/octet-stream')
      return c.body(bytes as Uint8Array<ArrayBuffer>)
    }),
  )
  return app
}

async function readBody<T>(c: Context, schema: z.ZodType<T>): Promise<T> {
  let value: unknown
  try {
    value = JSON.parse(await c.req.text())
  } catch {
    throw new BadRequest('The body must be JSON.')
  }
  const read = schema.safeParse(value)
  if (read.success) return read.data
  throw new BadRequest(z.prettifyError(read.error))
}

function pageOf(c: Context): { limit?: number; cursor?: string } {
  const { limit, cursor } = c.req.query()
  return { ...(limit === undefined ? {} : { limit: Number(limit) }), ...(cursor === undefined ? {} : { cursor }) }
}

/** The author of a value chose its media type; an invalid one cannot be a header. */
function isMediaType(text: string): boolean {
  return /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(;[ -~]+)?$/.test(text)
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> }

/** Removes undefined properties: the runtime takes absent properties, not undefined ones. */
function withoutUndefined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, held]) => held !== undefined)) as Defined<T>
}
