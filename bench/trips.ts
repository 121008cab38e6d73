import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** Quiet time in milliseconds after which a client waits for an answer. */
const QUIET_MS = 10

/**
 * A proxy between a client and a PostgreSQL server that counts how often the client waits. It holds an answer back until the
 * client has been quiet for a while, so everything that the client sends without waiting is one round trip.
 */
export class TripCounter {
  readonly url: string
  readonly #server: Server
  #trips = 0

  private constructor(server: Server, url: string) {
    this.#server = server
    this.url = url
  }

  /** @param url leads to the server */
  static async before(url: string): Promise<TripCounter> {
    const target = new URL(url)
    const sockets = new Set<Socket>()
    const server = createServer({ noDelay: true }, (client) => {
      const upstream = connect({ host: target.hostname, port: Number(target.port), noDelay: true })
      counter.#join(client, upstream)
      for (const socket of [client, upstream]) sockets.add(socket)
    })
    server.once('close', () => {
      for (const socket of sockets) socket.destroy()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const through = new URL(url)
    through.hostname = '127.0.0.1'
    through.port = `${port}`
    const counter = new TripCounter(server, through.href)
    return counter
  }

  /** How many trips some work makes. */
  async during(work: () => Promise<unknown>): Promise<number> {
    this.#trips = 0
    await work()
    return this.#trips
  }

  close(): void {
    this.#server.close()
    this.#server.emit('close')
  }

  #join(client: Socket, upstream: Socket): void {
    let isInFlight = false
    let last = 0
    client.on('data', (bytes) => {
      last = performance.now()
      isInFlight = true
      upstream.write(bytes)
    })
    const held: Buffer[] = []
    let isHolding = false
    const release = async () => {
      isHolding = true
      while (performance.now() - last < QUIET_MS) await delay(1)
      if (isInFlight) this.#trips += 1
      isInFlight = false
      isHolding = false
      for (const bytes of held.splice(0)) client.write(bytes)
    }
    upstream.on('data', (bytes) => {
      held.push(bytes)
      if (!isHolding) void release()
    })
    for (const [one, other] of [[client, upstream] as const, [upstream, client] as const]) {
      one.on('error', () => {})
      one.on('close', () => other.destroy())
    }
  }
}
