import { createServer, request as httpRequest, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { InspectorOptions } from '../../ts/index.ts'
import { type Host, InvalidInputError } from '../../ts/index.ts'
import { formTokenOf, type Loaded } from '../inspect/subject.ts'
import { engines, openFresh } from '../support/stores.ts'
import { hostOn, over, waiting } from './team.ts'

type Headers = { readonly [name: string]: string }

/** A server whose requests name their tenant and their person as an authentication would. */
async function serve(listener: RequestListener): Promise<{ readonly origin: string; readonly port: number }> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { origin: `http://127.0.0.1:${port}`, port }
}

const options = {
  tenant: ({ headers }: IncomingMessage) => headers['x-tenant'] as string | undefined,
  actor: async ({ headers }: IncomingMessage) => headers['x-actor'] as string | undefined,
}

/** Sends a request with exactly these headers, which fetch would change. */
function load(port: number, path: string, headers: Headers, method = 'GET', body = ''): Promise<Loaded> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ hostname: '127.0.0.1', port, path, method, headers })
    sent.on('error', reject)
    sent.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      const pairs = Object.entries(response.headers).map(([name, value]) => [name, String(value)] as [string, string])
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: new Headers(pairs), text }))
    })
    sent.end(body)
  })
}

const formType = { 'content-type': 'application/x-www-form-urlencoded' }
const sessionOf = ({ headers }: Loaded) => (headers.get('set-cookie') ?? '').split(';')[0] ?? ''
const formOf = (token: string, more: object = {}) =>
  new URLSearchParams({ token, reason: '', decision: 'approve', ...more }).toString()

/** A host with a pending approval of each of two tenants, behind a server. */
async function shown(host: Host, basePath?: string) {
  const { origin, port } = await serve(host.inspector({ ...options, ...(basePath === undefined ? {} : { basePath }) }))
  const acme = await host.runtime('acme')
  const globex = await host.runtime('globex')
  const [ours, theirs] = [await waiting(acme), await waiting(globex)]
  return { origin, port, acme, globex, ours, theirs }
}

describe.each(engines)('the inspector of a host on %s', (engine) => {
  it('shows each of two tenants its own alone, and the host goes on with what is decided there', async () => {
    const host = (await hostOn(await openFresh(engine))) as Host
    await host.start()
    const { origin, port, acme, ours, theirs, globex } = await shown(host)
    const pages: Record<string, Loaded> = {}
    for (const [name, own, other] of [
      ['acme', ours, theirs],
      ['globex', theirs, ours],
    ] as const) {
      const headers = { 'x-tenant': name, 'x-actor': `kim of ${name}` }
      const page = await load(port, '/approvals', headers)
      pages[name] = page
      expect([page.status, page.text.includes(own.approvalId), page.text.includes(other.approvalId)]).toEqual([
        200,
        true,
        false,
      ])
      expect((await load(port, `/runs/${own.runId}`, headers)).text).toContain(`<b>${name}</b>`)
      const foreign = await load(port, `/runs/${other.runId}`, headers)
      const nobodys = await load(port, `/runs/run_${'a'.repeat(32)}`, headers)
      expect([foreign.status, foreign.text]).toEqual([404, nobodys.text])
    }
    // The form of one tenant is none of another, even in one browser.
    const [token, cookie] = [formTokenOf(pages['acme'] as Loaded), sessionOf(pages['acme'] as Loaded)]
    const own = { ...formType, origin, cookie, 'x-tenant': 'globex', 'x-actor': 'kim' }
    expect((await load(port, `/approvals/${theirs.approvalId}`, own, 'POST', formOf(token))).status).toBe(403)
    const sent = { ...own, 'x-tenant': 'acme' }
    expect((await load(port, `/approvals/${theirs.approvalId}`, sent, 'POST', formOf(token))).status).toBe(404)
    const decided = await load(port, `/approvals/${ours.approvalId}`, sent, 'POST', formOf(token))
    expect([decided.status, decided.headers.get('location')]).toEqual([303, `/approvals/${ours.approvalId}`])
    expect(await over(acme, ours.runId)).toBe('completed')
    expect((await acme.approvals.history()).items).toMatchObject([{ approvalId: ours.approvalId, actor: 'kim' }])
    expect((await globex.approvals.get(theirs.approvalId)).status).toBe('pending')
  })
})

describe('the inspector of a host', () => {
  const everything = ['/', '/runs', '/style.css', '/icon.svg', '/nothing', '/approvals/x', '/inspect']
  const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS']

  it('answers 404, in one way, to every request without a tenant or of one that the host does not serve', async () => {
    const host = (await hostOn(await openFresh('memory'), {}, { specFor: () => undefined })) as Host
    const { origin, port } = await serve(host.inspector(options))
    const answers = []
    for (const path of everything) {
      for (const method of methods) {
        for (const headers of [{}, { 'x-tenant': 'globex' }] as Headers[]) {
          const { status, text, headers: given } = await load(port, path, { ...headers, origin }, method)
          answers.push([status, method === 'HEAD' || text, given.get('set-cookie')].join())
        }
      }
    }
    expect(new Set(answers).size).toBe(2)
    expect(answers.every((answer) => answer.startsWith('404,'))).toBe(true)
  })

  it('knows its pages and its methods', async () => {
    const host = (await hostOn(await openFresh('memory'))) as Host
    const { origin, port } = await serve(host.inspector(options))
    const headers = { 'x-tenant': 'acme', 'x-actor': 'kim', origin }
    const status = async (path: string, method = 'GET') => (await load(port, path, headers, method)).status
    for (const path of ['/', '/runs', '/approvals', '/style.css', '/icon.svg']) {
      expect([path, await status(path), await status(path, 'HEAD')]).toEqual([path, 200, 200])
    }
    expect((await load(port, '/', headers, 'HEAD')).text).toBe('')
    for (const path of ['/nothing', '/enter', '/runs/a/b', '/runs/%ff', '//runs', '/constructor']) {
      expect([path, await status(path)]).toEqual([path, 404])
    }
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS']) expect(await status('/', method)).toBe(405)
    for (const path of ['/', '/runs', '/approvals', '/style.css']) expect(await status(path, 'POST')).toBe(405)
    const { headers: given } = await load(port, '/', headers)
    expect(given.get('content-security-policy')).toContain("default-src 'none'")
    expect(given.get('set-cookie')).toMatch(/^bailiwick-inspect=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/)
  })

  it('takes a decision from its own forms, of its own origin, by a person who may decide', async () => {
    const host = (await hostOn(await openFresh('memory'))) as Host
    const { origin, port, acme, ours } = await shown(host)
    const path = `/approvals/${ours.approvalId}`
    const reader = { 'x-tenant': 'acme', 'x-actor': 'kim' }
    const page = await load(port, '/approvals', reader)
    const [token, cookie] = [formTokenOf(page), sessionOf(page)]
    const own = { ...formType, ...reader, cookie, origin }
    const { origin: _, ...withoutOrigin } = own
    const { 'x-actor': __, ...withoutActor } = own
    const refused: [number, Headers, string][] = [
      [403, { ...own, origin: 'http://evil.example' }, formOf(token)],
      [403, { ...own, origin: 'null' }, formOf(token)],
      [403, { ...own, origin: `http://127.0.0.1:${port + 1}` }, formOf(token)],
      [403, { ...own, 'sec-fetch-site': 'cross-site' }, formOf(token)],
      [403, { ...own, 'sec-fetch-site': 'same-site' }, formOf(token)],
      [403, { ...own, 'sec-fetch-site': 'none' }, formOf(token)],
      [403, withoutOrigin, formOf(token)],
      [403, withoutActor, formOf(token)],
      [403, { ...own, cookie: '' }, formOf(token)],
      [403, { ...own, cookie: `bailiwick-inspect=${'a'.repeat(43)}` }, formOf(token)],
      [403, { ...own, cookie: `${cookie}; ${cookie}` }, formOf(token)],
      [403, own, formOf('a'.repeat(43))],
      // The name is that of the authentication, and no field of the form.
      [400, own, formOf(token, { actor: 'lee' })],
      [415, { ...own, 'content-type': 'text/plain' }, formOf(token)],
    ]
    for (const [status, headers, body] of refused) {
      const answer = await load(port, path, headers, 'POST', body)
      expect([status, headers, body]).toEqual([answer.status, headers, body])
    }
    expect((await acme.approvals.get(ours.approvalId)).status).toBe('pending')
    const looking = await load(port, '/approvals', { 'x-tenant': 'acme' })
    expect([looking.text.includes('send'), looking.text.includes('<form')]).toEqual([true, false])
    // Nor can they fork a thread, which those can who may decide.
    const run = `/runs/${ours.runId}`
    const [theirs, mine] = [await load(port, run, { 'x-tenant': 'acme' }), await load(port, run, reader)]
    expect([theirs.text.includes('Replay from here'), mine.text.includes('Replay from here')]).toEqual([false, true])
    const fork = new URLSearchParams({ token, act: 'fork', step: '2' }).toString()
    expect((await load(port, run, withoutActor, 'POST', fork)).status).toBe(403)
    expect((await acme.threads.list()).items.length).toBe(1)
    // Behind a proxy that changes the host, the browser's word counts.
    const proxied = { ...own, host: 'app.internal', origin: 'https://admin.example', 'sec-fetch-site': 'same-origin' }
    expect((await load(port, path, proxied, 'POST', formOf(token))).status).toBe(303)
    expect((await load(port, path, own, 'POST', formOf(token))).status).toBe(409)
  })

  it('asks for a name where the host knows none', async () => {
    const host = (await hostOn(await openFresh('memory'))) as Host
    const { ours, acme } = await shown(host)
    const { origin, port } = await serve(host.inspector({ tenant: () => 'acme' }))
    const page = await load(port, '/approvals', {})
    const headers = { ...formType, origin, cookie: sessionOf(page) }
    const body = formOf(formTokenOf(page), { actor: 'typed' })
    expect((await load(port, `/approvals/${ours.approvalId}`, headers, 'POST', body)).status).toBe(303)
    expect((await acme.approvals.history()).items).toMatchObject([{ actor: 'typed' }])
  })

  it('is mounted at a path, by a server that removes it and by one that does not', async () => {
    const host = (await hostOn(await openFresh('memory'))) as Host
    const inspector = host.inspector({ ...options, basePath: '/admin/inspect/' })
    /** Does to a request what Express does to one of a mounted router. */
    const express: RequestListener = (request, response) => {
      const { url = '' } = request
      Object.assign(request, { originalUrl: url, url: url.slice('/admin/inspect'.length).replace(/^(?!\/)/, '/') })
      inspector(request, response)
    }
    const { ours } = await shown(host)
    const headers = { 'x-tenant': 'acme', 'x-actor': 'kim' }
    for (const listener of [inspector, express]) {
      const { origin, port } = await serve(listener)
      for (const end of ['', '/', '?x=1', '/?x=1', '/runs', '/style.css', `/runs/${ours.runId}`]) {
        const { status, text } = await load(port, `/admin/inspect${end}`, headers)
        expect([end, status]).toEqual([end, 200])
        const paths = [...text.matchAll(/ (?:href|src|action)="([^"]*)"/g)].map(([, path]) => path)
        expect(paths.filter((path) => !/^(\/admin\/inspect\/|#main)/.test(path ?? ''))).toEqual([])
      }
      const page = await load(port, '/admin/inspect/approvals', headers)
      const cookie = sessionOf(page)
      expect(page.headers.get('set-cookie')).toContain('; Path=/admin/inspect/;')
      const { approvalId } = await waiting(await host.runtime('acme'))
      const decision = { ...formType, ...headers, origin, cookie }
      const path = `/admin/inspect/approvals/${approvalId}`
      const decided = await load(port, path, decision, 'POST', formOf(formTokenOf(page)))
      expect([decided.status, decided.headers.get('location')]).toEqual([303, path])
    }
  })

  it('says that a body parser was there first', async () => {
    const host = (await hostOn(await openFresh('memory'))) as Host
    const { ours, origin, port } = await shown(host)
    const page = await load(port, '/approvals', { 'x-tenant': 'acme', 'x-actor': 'kim' })
    const inspector = host.inspector(options)
    const parsed = await serve(async (request, response) => {
      for await (const _ of request);
      inspector(request, response)
    })
    const own = { ...formType, origin, cookie: sessionOf(page), 'x-tenant': 'acme', 'x-actor': 'kim' }
    const sent = { ...own, 'sec-fetch-site': 'same-origin' }
    const body = formOf(formTokenOf(page))
    const answer = await load(parsed.port, `/approvals/${ours.approvalId}`, sent, 'POST', body)
    expect([answer.status, answer.text.includes('ahead of body parsers')]).toEqual([500, true])
  })

  it('answers with 503 once the host is closed', async () => {
    const host = (await hostOn(await openFresh('memory'))) as Host
    const { port } = await serve(host.inspector(options))
    const headers = { 'x-tenant': 'acme' }
    expect((await load(port, '/runs', headers)).status).toBe(200)
    await host.drain()
    expect((await load(port, '/runs', headers)).status).toBe(200)
    await host.close()
    expect((await load(port, '/runs', headers)).status).toBe(503)
  })

  it('tells the host, and nobody else, what its callbacks throw or return', async () => {
    const told: unknown[] = []
    const host = (await hostOn(await openFresh('memory'), {}, { onError: (error) => told.push(error) })) as Host
    const secret = new InvalidInputError('the secret of globex')
    const thrown = () => {
      throw secret
    }
    const bad: InspectorOptions[] = [
      { tenant: thrown },
      { tenant: () => 'acme', actor: async () => thrown() },
      { tenant: () => '' },
      { tenant: () => 5 as never },
      { tenant: () => 'acme', actor: () => null as never },
      { tenant: () => 'x'.repeat(10_000) },
    ]
    for (const [index, one] of bad.entries()) {
      const { port } = await serve(host.inspector(one))
      const { status, text } = await load(port, '/', {})
      expect([index, status, text.includes('secret'), told.length]).toEqual([index, 500, false, index + 1])
    }
    expect(told.slice(0, 2)).toEqual([secret, secret])
  })

  it.each(['inspect', '/a//b', '/../x', '/a/.', '//evil.example', '/a b', '/a"b', '/a?b', '/ä'])(
    'refuses %j as its path',
    async (basePath) => {
      const host = (await hostOn(await openFresh('memory'))) as Host
      expect(() => host.inspector({ ...options, basePath })).toThrow(InvalidInputError)
    },
  )

  it('refuses options without a tenant', async () => {
    const host = (await hostOn(await openFresh('memory'))) as Host
    expect(() => host.inspector({} as never)).toThrow('tenant is missing')
    expect(() => host.inspector(undefined as never)).toThrow(InvalidInputError)
  })
})
