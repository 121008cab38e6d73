import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Access } from './access.ts'
import { sendAsset, sendFailure, sendFound, sendPage, targetOf } from './answering.ts'
import { Refusal } from './refusal.ts'
import type { Subject } from './request.ts'
import { answerFor } from './routes.ts'
import { enteredPage } from './view/layout.ts'

/** The address that this machine alone reaches. Nothing else is ever listened on. */
const LOOPBACK = '127.0.0.1'

/** A page that is being served. */
export interface Inspector {
  /** The link that starts the session. It is good once. */
  readonly url: string
  /** Stops serving; open connections are cut. */
  close(): Promise<void>
}

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
    answer(request, response, subject, access).catch((error: unknown) => sendFailure(request, response, error))
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
  const target = targetOf(request)
  const { path, search, isReading } = target
  if (sendAsset(response, target)) return
  if (isReading && path === '/enter') return enter(request, response, access, search)
  if (!access.isKnown(request)) {
    throw new Refusal(403, 'Open the link that the command printed. It is good once; for another, start it again.')
  }
  if (!isReading && !access.isFromHere(request)) throw new Refusal(403, 'This was not sent by the page itself.')
  const found = await answerFor({ request, ...target, formToken: access.formToken, person: { mayAct: true } }, subject)
  sendFound(response, found, subject.runtime.tenant.resourceId)
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
