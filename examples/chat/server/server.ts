import { readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { secureHeaders } from 'hono/secure-headers'
import { chatApi, type ServerParts } from './app.ts'

/** A listening server. */
export interface ChatServer {
  readonly url: string
  /** Stops accepting requests, ends streams, gives up what runs, so that the next process goes on with it, and closes the desk. */
  close(): Promise<void>
}

/** Only this machine reaches it: a proxy with TLS must stand before it. */
const LOOPBACK = '127.0.0.1'

const GRACE_MS = 1000

/** Files of the page, by their paths. */
const files = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/page.js', 'page.js', 'text/javascript; charset=utf-8'],
  ['/style.css', 'style.css', 'text/css; charset=utf-8'],
] as const

/** Starts the server, on any free port if 0 is given. */
export async function startServer(parts: ServerParts, port: number): Promise<ChatServer> {
  const closing = new AbortController()
  const app = new Hono()
  app.route('/', chatApi(parts, closing.signal))
  // No script runs but that of the page, and images come from here or from the file that is being sent.
  const contentSecurityPolicy = {
    defaultSrc: ["'self'"],
    scriptSrc: ["'self'"],
    imgSrc: ["'self'", 'data:'],
    frameAncestors: ["'none'"],
  }
  app.use(secureHeaders({ contentSecurityPolicy }))
  for (const [path, name, type] of files) {
    const content = readFileSync(join(parts.page, name), 'utf8')
    app.get(path, (c) => c.body(content, 200, { 'Content-Type': type }))
  }
  const server = await new Promise<Server>((resolve, reject) => {
    const made = serve({ fetch: app.fetch, hostname: LOOPBACK, port }, () => resolve(made)) as Server
    made.once('error', reject)
  })
  return {
    url: `http://${LOOPBACK}:${(server.address() as AddressInfo).port}`,
    async close() {
      const ended = new Promise<void>((resolve) => server.close(() => resolve()))
      closing.abort()
      await parts.desk.close()
      server.closeIdleConnections()
      setTimeout(() => server.closeAllConnections(), GRACE_MS).unref()
      await ended
    },
  }
}
