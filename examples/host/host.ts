import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import type { Host as Shops } from 'bailiwick'
import { type HostParts, hostApp } from './app.ts'

/** A listening host. */
export interface Host {
  readonly url: string
  readonly shops: Shops
  /** Stops accepting requests, ends streams, gives up what runs, so that another process goes on with it, and closes `shops`. */
  close(): Promise<void>
}

/** Only this machine reaches it: a proxy with TLS must stand before it. */
const LOOPBACK = '127.0.0.1'

const GRACE_MS = 1000

/** Starts a host, on any free port if none is given. */
export async function startHost(parts: HostParts, port = 0): Promise<Host> {
  const { shops } = parts
  const closing = new AbortController()
  const { fetch } = hostApp(parts, closing.signal)
  const server = await new Promise<Server>((resolve, reject) => {
    const made = serve({ fetch, hostname: LOOPBACK, port }, () => resolve(made)) as Server
    made.once('error', reject)
  })
  await shops.start()
  return {
    url: `http://${LOOPBACK}:${(server.address() as AddressInfo).port}`,
    shops,
    async close() {
      const ended = new Promise<void>((resolve) => server.close(() => resolve()))
      closing.abort()
      await shops.close()
      // Sent bytes may still be in transit; the host does not wait for clients that do not read them.
      server.closeIdleConnections()
      setTimeout(() => server.closeAllConnections(), GRACE_MS).unref()
      await ended
    },
  }
}
