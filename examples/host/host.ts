import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import type { Runtime, Tenant } from 'bailiwick'
import { hostApp } from './app.ts'
import type { Issuer } from './identity.ts'
import { type RuntimeLimits, Runtimes } from './runtimes.ts'

/** The parts of a host. */
export interface HostOptions {
  readonly trusted: Issuer
  /** Opens the runtime of a tenant, on the store that all tenants share. */
  readonly open: (tenant: Tenant) => Promise<Runtime>
  readonly limits?: RuntimeLimits
  /** 0 for any free port. */
  readonly port?: number
  readonly log?: (error: unknown) => void
}

/** A listening host. */
export interface Host {
  readonly url: string
  readonly runtimes: Runtimes
  /** Stops accepting requests, ends streams and closes the runtimes. The caller closes the store. */
  close(): Promise<void>
}

/** Only this machine reaches it: a proxy with TLS must stand before it. */
const LOOPBACK = '127.0.0.1'

const GRACE_MS = 1000

/** Starts a host. */
export async function startHost(options: HostOptions): Promise<Host> {
  const runtimes = new Runtimes(options.open, options.limits ?? { runtimes: 1000, usersPerTenant: 64 })
  const closing = new AbortController()
  const log = options.log ?? console.error
  const app = hostApp({ trusted: options.trusted, runtimes, closing: closing.signal, log })
  const server = await new Promise<Server>((resolve, reject) => {
    const made = serve({ fetch: app.fetch, hostname: LOOPBACK, port: options.port ?? 0 }, () => resolve(made)) as Server
    made.once('error', reject)
  })
  server.on('request', (_request, response) => {
    // Connections wait for a next request; when the host ends there is none.
    response.once('close', () => closing.signal.aborted && server.closeIdleConnections())
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://${LOOPBACK}:${port}`,
    runtimes,
    async close() {
      const ended = new Promise<void>((resolve) => server.close(() => resolve()))
      closing.abort()
      await runtimes.close()
      // Sent bytes may still be in transit; the host does not wait for clients that do not read them.
      const impatience = setTimeout(() => server.closeAllConnections(), GRACE_MS)
      await ended
      clearTimeout(impatience)
    },
  }
}
