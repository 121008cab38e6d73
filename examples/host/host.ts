import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import type { Host as Shops } from 'bailiwick'
import { hostApp } from './app.ts'
import type { Issuer } from './identity.ts'

/** The parts of a host. */
export interface HostOptions {
  readonly trusted: Issuer
  /** Serves all tenants. It is closed with the host. */
  readonly shops: Shops
  /** 0 for any free port. */
  readonly port?: number
  readonly log?: (error: unknown) => void
}

/** A listening host. */
export interface Host {
  readonly url: string
  readonly shops: Shops
  /** Stops accepting requests, ends streams and gives up what runs, so that another process goes on with it. */
  close(): Promise<void>
}

/** Only this machine reaches it: a proxy with TLS must stand before it. */
const LOOPBACK = '127.0.0.1'

const GRACE_MS = 1000

/** Starts a host. */
export async function startHost({ trusted, shops, port: wanted = 0, log = console.error }: HostOptions): Promise<Host> {
  const closing = new AbortController()
  const app = hostApp({ trusted, shops, closing: closing.signal, log })
  const server = await new Promise<Server>((resolve, reject) => {
    const made = serve({ fetch: app.fetch, hostname: LOOPBACK, port: wanted }, () => resolve(made)) as Server
    made.once('error', reject)
  })
  server.on('request', (_request, response) => {
    // Connections wait for a next request; when the host ends there is none.
    response.once('close', () => closing.signal.aborted && server.closeIdleConnections())
  })
  await shops.start()
  const { port } = server.address() as AddressInfo
  return {
    url: `http://${LOOPBACK}:${port}`,
    shops,
    async close() {
      const ended = new Promise<void>((resolve) => server.close(() => resolve()))
      closing.abort()
      await shops.close()
      // Sent bytes may still be in transit; the host does not wait for clients that do not read them.
      const impatience = setTimeout(() => server.closeAllConnections(), GRACE_MS)
      await ended
      clearTimeout(impatience)
    },
  }
}
