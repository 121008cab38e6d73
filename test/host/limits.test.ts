import { describe, expect, it } from 'vitest'
import type { RunEvent } from '../../ts/index.ts'
import { Client, eventsIn, freshHost, furnish, kindsOf, tokenFor } from './client.ts'

describe('the limits of a host', () => {
  it('a body that is too large, no JSON or of another form is refused, whole or in pieces', async () => {
    const host = await freshHost()
    const token = await tokenFor('acme')
    const client = new Client(host, token)
    const large = JSON.stringify({ prompt: 'x'.repeat(64 << 10) })
    expect((await client.send('POST', '/query', large)).status).toBe(413)
    const pieces = new Blob([large]).stream()
    const inPieces: RequestInit & { duplex: 'half' } = {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: pieces,
      duplex: 'half',
    }
    expect((await fetch(`${host.url}/query`, inPieces)).status).toBe(413)
    const wrong = [
      '',
      '{',
      '[]',
      'null',
      '{"prompt":""}',
      '{"prompt":1}',
      '{"prompt":"x","__proto__":{"actor":"boss"}}',
    ]
    for (const body of wrong) {
      expect([body, (await client.send('POST', '/query', body)).status]).toEqual([body, 400])
    }
    const { runId } = await furnish(client)
    for (const id of ['-1', 'x', '1e3', '9'.repeat(20)]) {
      const headers = { 'last-event-id': id }
      expect((await client.send('GET', `/runs/${runId}/events`, undefined, headers)).status).toBe(400)
    }
  })

  it('a client that lost its connection continues after the last event it saw', async () => {
    const client = new Client(await freshHost(), await tokenFor('acme'))
    const broken = await client.open('POST', '/query', { prompt: 'List the orders' })
    const path = broken.headers.get('content-location') ?? ''
    await broken.body?.cancel()
    // The run goes on without anybody who looks.
    const all = (await client.events('GET', path)).filter((event) => 'sequence' in event)
    expect(all.map(({ sequence }) => sequence)).toEqual(all.map((_, at) => at))
    expect(kindsOf(all).at(-1)).toBe('run.completed')
    for (const { sequence } of all) {
      const rest = await client.events('GET', path, undefined, { 'last-event-id': `${sequence}` })
      expect(rest.filter((event) => 'sequence' in event)).toEqual(all.slice(sequence + 1))
    }
  })

  it('a stream ends with its token', async () => {
    const noon = Date.UTC(2026, 5, 1, 12)
    const host = await freshHost('memory', { now: () => noon })
    const seconds = noon / 1000
    const long = new Client(host, await tokenFor('acme', 'kim', { exp: seconds + 3600 }))
    const { runId } = await furnish(long)
    const short = new Client(host, await tokenFor('acme', 'kim', { exp: seconds + 1 }))
    // The run is suspended: the stream would go on until somebody decides.
    expect(kindsOf(await short.events('GET', `/runs/${runId}/events`)).at(-1)).toBe('run.suspended')
  })

  it('streams end when the host does', async () => {
    const host = await freshHost()
    const client = new Client(host, await tokenFor('acme'))
    const { runId } = await furnish(client)
    const { body } = await client.open('GET', `/runs/${runId}/events`)
    const reader = (body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    while (!text.includes('event: run.suspended')) text += (await reader.read()).value
    const closed = host.close()
    let rest = await reader.read()
    while (!rest.done) rest = await reader.read()
    await closed
    await expect(client.send('GET', '/approvals')).rejects.toThrow('fetch failed')
  })

  it('few tenants have an open handle at once; a returning tenant finds its data, and a stream goes on', async () => {
    const host = await freshHost('memory', { maxOpen: 2 })
    const shops: { client: Client; runId: string; stream: Promise<Response> }[] = []
    for (const name of ['acme', 'globex', 'initech', 'umbrella']) {
      const client = new Client(host, await tokenFor(name))
      const [first] = await client.events('POST', '/query', { prompt: 'Refund order 17' })
      const { runId } = first as RunEvent
      shops.push({ client, runId, stream: client.open('GET', `/runs/${runId}/events`) })
    }
    for (const { client, runId } of shops) {
      for (const other of shops) {
        const status = other.runId === runId ? 200 : 404
        expect((await client.send('GET', `/runs/${other.runId}`)).status).toBe(status)
      }
    }
    for (const { client, runId, stream } of shops) {
      expect((await client.send('POST', `/runs/${runId}/cancel`)).status).toBe(204)
      expect(kindsOf(eventsIn(await (await stream).text())).at(-1)).toBe('run.cancelled')
    }
  })
})
