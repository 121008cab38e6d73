import { createUIMessageStreamResponse } from 'ai'
import { ClosedError } from 'bailiwick'
import { fromUIMessages, resumeUIMessageStream, toUIMessageStream, toUIMessages } from 'bailiwick/ai-sdk'
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { csrf } from 'hono/csrf'
import { secureHeaders } from 'hono/secure-headers'
import { streamSSE } from 'hono/streaming'
import type { BlankSchema } from 'hono/types'
import { z } from 'zod'
import { answerTo, readThread, stopAll } from './answers.ts'
import { changesOf } from './changes.ts'
import type { Desk, DeskRuntime } from './desk.ts'
import { read, refuse, shownProblem } from './problems.ts'
import type { Person, Sessions } from './sessions.ts'

/** Parts of the server. */
export interface ServerParts {
  readonly desk: Desk
  readonly sessions: Sessions
  /** The folder with the built page. */
  readonly page: string
  /** Receives the errors that people do not see. */
  readonly log: (error: unknown) => void
}

type Env = { Variables: { person: Person; runtime: DeskRuntime } }

const LONGEST_BODY_BYTES = 8 << 20
const MOST_CHATS = 50
const RETRY_MS = 300

const text = z.string().min(1)
const credentials = z.strictObject({ name: text, password: text })
const asked = z.object({ id: z.string().min(1).max(128), messages: z.array(z.any()).length(1) })
const decision = z.strictObject({ decision: z.enum(['approve', 'reject']) })
const answer = z.strictObject({ value: z.json() })

const fileUrl = (reference: string) => `/api/files/${reference}`
const referenceOf = (url: string) => /^\/api\/files\/(ref_\w+)$/.exec(url)?.[1]

/** Images that a browser may show. It must not run anything that a person has sent, such as a script in an SVG. */
const shownTypes: ReadonlySet<string> = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp'])

/**
 * The routes below `/api`. Each uses the runtime of the tenant of the person who is signed in, so an id of another tenant is not found and
 * no route has to compare owners. Streams end when `closing` is aborted.
 */
export function chatApi({ desk, sessions, log }: ServerParts, closing: AbortSignal): Hono<Env> {
  const app = new Hono<Env>().basePath('/api')
  app.onError((error, c) => {
    const { status, message } = shownProblem(error)
    // A deploy ends requests: their pages ask again.
    if (status >= 500 && !ClosedError.isInstance(error)) log(error)
    return c.text(message, status)
  })
  app.use(secureHeaders({ crossOriginResourcePolicy: 'same-origin' }), csrf())
  app.use(
    bodyLimit({ maxSize: LONGEST_BODY_BYTES, onError: () => refuse(413, 'This is too large: 8 MiB are allowed.') }),
  )

  app.post('/session', async (c) => {
    const { name, password } = read(credentials, await body(c))
    return c.json((await sessions.signIn(c, name, password)) ?? refuse(403, 'The name or the password is wrong.'))
  })
  app.use(async (c, next) => {
    const person = (await sessions.personOf(c)) ?? refuse(401, 'Sign in first.')
    c.set('person', person)
    c.set('runtime', await desk.runtime(person.tenant))
    c.header('Cache-Control', 'private, no-store')
    await next()
  })
  app.get('/session', (c) => c.json(c.var.person))
  app.delete('/session', (c) => {
    sessions.signOut(c)
    return c.body(null, 204)
  })
  addChats(app)
  addDecisions(app)

  app.get('/changes', (c) => {
    const gone = new AbortController()
    const changes = changesOf(c.var.runtime, AbortSignal.any([closing, gone.signal]))
    // It is followed before the browser knows that it is connected: so no change falls between.
    const first = changes.next()
    return streamSSE(c, async (stream) => {
      stream.onAbort(() => gone.abort())
      await stream.writeSSE({ event: 'connected', data: '', retry: RETRY_MS })
      for (let next = await first; next.done !== true; next = await changes.next()) {
        await stream.writeSSE({ data: JSON.stringify(next.value) })
      }
    })
  })
  app.get('/files/:id', async (c) => {
    const { reference, bytes } = await c.var.runtime.references.resolve(c.req.param('id'))
    const isShown = shownTypes.has(reference.mediaType)
    return c.body(bytes, 200, {
      'Content-Type': isShown ? reference.mediaType : 'application/octet-stream',
      'Content-Disposition': isShown ? 'inline' : 'attachment',
      'Content-Security-Policy': "default-src 'none'; sandbox",
    })
  })
  return app
}

/** Threads, as `useChat` reads and writes them. */
function addChats(app: Hono<Env, BlankSchema, '/api'>): void {
  app.get('/chats', async (c) => {
    const { threads } = c.var.runtime
    const { items } = await threads.list({ limit: MOST_CHATS })
    const titleOf = async (threadId: string) => {
      const [first] = toUIMessages((await threads.messages(threadId, { limit: 1 })).items)
      return first?.parts.map((part) => ('text' in part ? part.text : '')).join(' ') ?? ''
    }
    return c.json(await Promise.all(items.map(async ({ threadId: id }) => ({ id, title: await titleOf(id) }))))
  })
  app.post('/chats', async (c) => {
    const { runtime, person } = c.var
    const { id, messages } = read(asked, await body(c))
    const prompt = await fromUIMessages(messages, { references: runtime.references, referenceOf })
    const requestKey = `${id}/${messages[0].id}`
    // A message that is sent again, because the connection was lost, is the same request.
    const run = runtime.query({ threadId: id, prompt, actor: person.name, whenBusy: 'steer', requestKey })
    // A refused request rejects here, while the status can still be set.
    for await (const _first of run) break
    return createUIMessageStreamResponse({ stream: toUIMessageStream(answerTo(runtime, run)) as never })
  })
  app.get('/chats/:id', async (c) => {
    const { messages, approvals, waits } = await readThread(c.var.runtime, c.req.param('id'))
    return c.json(toUIMessages(messages, { fileUrl, approvals, waits }))
  })
  app.get('/chats/:id/stream', async (c) => {
    const [threadId, runId] = [c.req.param('id'), c.req.query('shown')]
    const stream = await resumeUIMessageStream(c.var.runtime, { threadId, ...(runId === undefined ? {} : { runId }) })
    return stream === undefined ? c.body(null, 204) : createUIMessageStreamResponse({ stream: stream as never })
  })
  app.post('/chats/:id/stop', async (c) => {
    await stopAll(c.var.runtime, c.req.param('id'))
    return c.body(null, 204)
  })
}

/** What a run waits for. The host goes on with the run by itself. */
function addDecisions(app: Hono<Env, BlankSchema, '/api'>): void {
  app.post('/approvals/:id', async (c) => {
    const { runtime, person } = c.var
    const given = read(decision, await body(c))
    await runtime.approvals.respond(c.req.param('id'), { ...given, actor: person.name })
    return c.body(null, 204)
  })
  app.post('/waits/:id', async (c) => {
    const { runtime, person } = c.var
    const { value } = read(answer, await body(c))
    await runtime.waits.settle(c.req.param('id'), { value: value as never }, { actor: person.name })
    return c.body(null, 204)
  })
}

function body(c: Context): Promise<unknown> {
  return c.req.json().catch(() => refuse(400, 'The body must be JSON.'))
}
