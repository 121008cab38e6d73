// An HTTP server for many tenants. Runs that were approved, or whose process died, go on by themselves.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createHost, type Page, type PageOptions } from 'bailiwick'
import { fromUIMessages, resumeUIMessageStream, toUIMessageStream, toUIMessages } from 'bailiwick/ai-sdk'
import { spec } from './agents.ts'
import { bodyOf, fail, send, stream } from './http.ts'
import { loadModels } from './models.ts'
import { pay } from './payments.ts'
import { personOf } from './sign-in.ts'

const host = await createHost(spec, {
  store: './data',
  models: await loadModels(),
  tools: { charge: (input, { idempotencyKey }) => pay(input, idempotencyKey) },
  onError: (error, about) => console.error(error, about),
})
await host.start()

const server = createServer((request, response) => {
  answer(request, response).catch((error) => fail(response, error))
})
// Only this machine reaches it: put a proxy with TLS before it.
server.listen(Number(process.env['PORT'] ?? 8787), '127.0.0.1', () => {
  const address = server.address()
  console.log(`listening on http://127.0.0.1:${typeof address === 'object' ? address?.port : address}`)
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop)

/** Runs that are not done by then go on when the server is started again. */
async function stop(): Promise<void> {
  server.close()
  await host.close()
  server.closeAllConnections()
}

/** The runtime is that of the sender's tenant, so ids in a path are looked up there and nowhere else. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const person = personOf(request.headers.authorization)
  if (!person) return send(response, 401, { error: 'Send a token: Authorization: Bearer demo-lee' })
  const runtime = await host.runtime(person.tenant)
  const [, what, id = '', more] = new URL(request.url ?? '', 'http://localhost').pathname.split('/')
  switch (`${request.method} /${what}${id ? '/:id' : ''}${more ? `/${more}` : ''}`) {
    // useChat sends all messages, curl sends one. Without an id, the chat is new.
    case 'POST /chat': {
      const { id: threadId, messages, message } = await bodyOf(request)
      const prompt = message ?? (await fromUIMessages(messages, { references: runtime.references }))
      const run = runtime.query({ prompt, actor: person.name, ...(threadId && { threadId }) })
      // A refused run rejects here, while the status can still be set.
      for await (const _first of run) break
      return stream(response, toUIMessageStream(run))
    }
    case 'GET /chat/:id': {
      const messages = await all((page) => runtime.threads.messages(id, page))
      const approvals = await all((page) => runtime.approvals.pending(page))
      return send(response, 200, toUIMessages(messages, { approvals }))
    }
    // What useChat({ resume: true }) asks for: the run in progress, from its beginning.
    case 'GET /chat/:id/stream': {
      const chunks = await resumeUIMessageStream(runtime, { threadId: id })
      return chunks ? stream(response, chunks) : send(response, 204)
    }
    case 'GET /approvals':
      return send(response, 200, await all((page) => runtime.approvals.pending(page)))
    case 'POST /approvals/:id': {
      const { decision, reason } = await bodyOf(request)
      return send(response, 200, await runtime.approvals.respond(id, { decision, reason, actor: person.name }))
    }
    default:
      return send(response, 404, { error: 'There is no such route.' })
  }
}

/** Reads every page of a list. */
async function all<T>(read: (page: PageOptions) => Promise<Page<T>>): Promise<T[]> {
  let page = await read({})
  const items = [...page.items]
  while (page.cursor !== undefined) {
    page = await read({ cursor: page.cursor })
    items.push(...page.items)
  }
  return items
}
