import { createHash } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { engines, openFresh } from '../support/stores.ts'
import { formTokenOf, request, type Shown, show, suspendedRun } from './subject.ts'

/** Sends a request whose every header and path are as given; browsers and fetch would repair them. */
function raw(
  { origin }: Shown,
  path: string,
  headers: Record<string, string | string[]>,
  method = 'GET',
  body = '',
): Promise<{ status: number; text: string }> {
  const { hostname, port } = new URL(origin)
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ hostname, port, path, method, headers: { Host: `${hostname}:${port}`, ...headers } })
    sent.on('error', reject)
    sent.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    sent.end(body)
  })
}

/** A pending approval and the fields that its form sends. */
async function pending(shown: Shown): Promise<{ approvalId: string; path: string; fields: Record<string, string> }> {
  const { approvalId } = await shown.runtime.approvals.request({ tool: 'refund', input: { order: 7 } })
  const token = formTokenOf(await shown.load('/approvals'))
  expect(token).not.toBe('')
  const fields = { token, actor: 'kim', reason: '', decision: 'approve' }
  return { approvalId, path: `/approvals/${approvalId}`, fields }
}

const formType = 'application/x-www-form-urlencoded'

test('the link works once, and its cookie is for no script and no other site', async () => {
  const { inspector, origin, cookie, load } = await show()
  expect(inspector.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/enter\?token=[\w-]{43}$/)
  expect(cookie).toMatch(/^bailiwick-inspect-\d+=[\w-]{43}$/)
  expect((await load('/')).status).toBe(200)
  const again = await request(inspector.url)
  expect([again.status, again.headers.get('set-cookie')]).toEqual([403, null])
  for (const url of [`${origin}/enter`, `${origin}/enter?token=`, `${origin}/enter?token=${'a'.repeat(43)}`]) {
    expect((await request(url)).status).toBe(403)
  }
})

test('the session of one page is invalid for another page on the same machine', async () => {
  const shown = await show()
  const other = await show('acme', shown.store)
  expect(other.cookie).not.toBe(shown.cookie)
  expect((await request(`${other.origin}/`, { headers: { cookie: shown.cookie } })).status).toBe(403)
})

test('the cookie is strict, and a program that previews links does not use the token up', async () => {
  const { store, runtime } = await show()
  const { startInspector } = await import('../../ts/inspect/server.ts')
  const inspector = await startInspector({ runtime, publicKey: store.publicKey }, 0)
  try {
    expect((await request(inspector.url, { method: 'HEAD' })).status).toBe(403)
    const entered = await request(inspector.url)
    expect(entered.headers.get('set-cookie')).toMatch(/^[\w-]+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/)
  } finally {
    await inspector.close()
  }
})

test('nothing of the tenant is shown without the session', async () => {
  const shown = await show('tenant-canary')
  const wrong = [{}, { cookie: 'x=y' }, { cookie: `${shown.cookie}x` }, { cookie: `${shown.cookie}; ${shown.cookie}` }]
  for (const path of ['/', '/runs', '/approvals', '/ledger', '/nothing']) {
    for (const headers of wrong) {
      const { status, text } = await request(shown.origin + path, { headers })
      expect([path, status]).toEqual([path, 403])
      expect(text).not.toContain('canary')
    }
  }
})

test('a foreign host name that resolves to this address is refused, with any headers', async () => {
  const shown = await show()
  const { port } = new URL(shown.origin)
  for (const Host of [
    `evil.example:${port}`,
    `localhost:${port}`,
    '127.0.0.1',
    `127.0.0.1:${port}.evil.example`,
    `[::1]:${port}`,
  ]) {
    for (const path of ['/', '/style.css', new URL(shown.inspector.url).pathname]) {
      expect([Host, (await raw(shown, path, { Host, Cookie: shown.cookie })).status]).toEqual([Host, 421])
    }
  }
  expect((await raw(shown, '/', { Cookie: shown.cookie })).status).toBe(200)
})

test.each(engines)('%s: a decision is taken from the page itself alone', async (engine) => {
  const shown = await show('acme', await openFresh(engine))
  const { approvalId, path, fields } = await pending(shown)
  const own = { 'Content-Type': formType, Cookie: shown.cookie, Origin: shown.origin }
  const body = new URLSearchParams(fields).toString()
  const { Origin: _, ...withoutOrigin } = own
  const refused: [number, Record<string, string>, string][] = [
    [403, { ...own, Origin: 'http://evil.example' }, body],
    [403, { ...own, Origin: 'null' }, body],
    [403, { ...own, Origin: 'http://127.0.0.1:1' }, body],
    [403, { ...own, 'Sec-Fetch-Site': 'same-site' }, body],
    [403, { ...own, 'Sec-Fetch-Site': 'cross-site' }, body],
    [403, withoutOrigin, body],
    [403, { ...own, Cookie: '' }, body],
    [403, own, new URLSearchParams({ ...fields, token: 'a'.repeat(43) }).toString()],
    [400, own, `${body}&actor=lee`],
    [400, own, body.replace(/token=[^&]+&/, '')],
    [400, own, ''],
    [400, own, new URLSearchParams({ ...fields, decision: 'maybe' }).toString()],
    [400, own, new URLSearchParams({ ...fields, actor: '' }).toString()],
    [415, { ...own, 'Content-Type': 'text/plain' }, body],
    [415, { ...own, 'Content-Type': 'application/json' }, JSON.stringify(fields)],
    [413, own, new URLSearchParams({ ...fields, reason: 'x'.repeat(270_000) }).toString()],
  ]
  for (const [status, headers, sent] of refused) {
    expect([status, sent.slice(0, 80), headers]).toEqual([
      (await raw(shown, path, headers, 'POST', sent)).status,
      sent.slice(0, 80),
      headers,
    ])
  }
  expect((await shown.runtime.approvals.get(approvalId)).status).toBe('pending')
  expect((await raw(shown, path, own, 'POST', body)).status).toBe(303)
  const { items } = await shown.runtime.approvals.history()
  expect(items).toMatchObject([{ approvalId, decision: 'approved', actor: 'kim' }])
  expect((await raw(shown, path, own, 'POST', body)).status).toBe(409)
})

test('reading decides nothing, and only approvals and waits can be sent to', async () => {
  const shown = await show()
  const { approvalId, path, fields } = await pending(shown)
  await shown.load(`${path}?${new URLSearchParams(fields)}`)
  const own = { 'Content-Type': formType, Cookie: shown.cookie, Origin: shown.origin }
  const body = new URLSearchParams(fields).toString()
  for (const target of ['/', '/runs', '/approvals', '/waits', '/plans/x', '/enter', '/style.css']) {
    expect([target, (await raw(shown, target, own, 'POST', body)).status]).toEqual([target, 405])
  }
  for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']) {
    expect([method, (await raw(shown, path, own, method)).status]).toEqual([method, 405])
  }
  expect((await shown.runtime.approvals.get(approvalId)).status).toBe('pending')
})

test.each(engines)(
  "%s: another tenant's ids, unknown ids, ways out of a path and NULs are all not found, in the same words",
  async (engine) => {
    const shown = await show('acme', await openFresh(engine))
    const globex = await show('globex', shown.store)
    const { runtime } = globex
    const { id } = await runtime.references.put('note', 'of globex')
    const { approvalId } = await runtime.approvals.request({ tool: 'refund', input: {} })
    await runtime.approvals.respond(approvalId, { decision: 'reject', actor: 'lee' })
    const { planId } = await runtime.plans.save({ type: 'launch', goal: 'of globex', steps: [] })
    await runtime.threads.append('of-globex', [{ role: 'user', parts: [{ type: 'text', text: 'x' }], createdAt: 1 }])
    const words = { prompt: 'x', actor: 'lee', threadId: 'x', input: 'x', result: 'x', answer: 'x' }
    const runId = await suspendedRun(shown.store, 'globex', words)
    const foreign = [
      [`/references/${id}`, `/references/ref_${'a'.repeat(32)}`],
      [`/approvals/${approvalId}`, `/approvals/approval_${'a'.repeat(32)}`],
      [`/plans/${encodeURIComponent(planId)}`, '/plans/nobody'],
      ['/threads/of-globex', '/threads/nobody'],
      ['/ledger/0', '/ledger/7'],
      [`/runs/${runId}`, `/runs/run_${'a'.repeat(32)}`],
    ] as const
    for (const [path, nobodys] of foreign) {
      const [answer, other] = [await shown.load(path), await shown.load(nobodys)]
      expect([path, answer.status]).toEqual([path, 404])
      expect(answer.text).toBe(other.text)
      expect([path, (await globex.load(path)).status]).toEqual([path, 200])
    }
    const { text } = await shown.load('/plans/nobody')
    const hostile = [
      '/../etc/passwd',
      '/runs/..%2f..%2fetc%2fpasswd',
      '/%2e%2e/%2e%2e',
      '/runs/%00',
      '/plans/%ff',
      '/runs/a/b',
    ]
    for (const path of [
      ...hostile,
      '/constructor',
      '/__proto__/x',
      '/nothing',
      '/threads/%00',
      '/ledger/-1',
      '/ledger/1e3',
    ]) {
      const answer = await raw(shown, path, { Cookie: shown.cookie })
      expect([path, answer.status]).toEqual([path, 404])
      expect(answer.text).toBe(text)
    }
    expect((await raw(shown, 'http://evil.example/', { Cookie: shown.cookie })).status).toBe(400)
    const decision = { 'Content-Type': formType, Cookie: shown.cookie, Origin: shown.origin }
    const body = new URLSearchParams((await pending(shown)).fields).toString()
    expect((await raw(shown, `/approvals/${approvalId}`, decision, 'POST', body)).status).toBe(404)
  },
)

test('NULs and long texts in a decision are refused or kept unchanged, never cut', async () => {
  const shown = await show()
  const { path, approvalId, fields } = await pending(shown)
  const own = { 'Content-Type': formType, Cookie: shown.cookie, Origin: shown.origin }
  const send = (more: object) => raw(shown, path, own, 'POST', new URLSearchParams({ ...fields, ...more }).toString())
  expect((await send({ actor: 'x'.repeat(1025) })).status).toBe(400)
  expect((await send({ reason: 'x'.repeat((16 << 10) + 1) })).status).toBe(400)
  expect((await raw(shown, `${path}%00`, own, 'POST', new URLSearchParams(fields).toString())).status).toBe(404)
  expect((await send({ reason: 'a\r\nb\0c' })).status).toBe(303)
  expect((await shown.runtime.approvals.history()).items).toMatchObject([{ approvalId, reason: 'a\nb\0c' }])
  expect((await shown.load('/ledger')).text).toContain('a\nb\\u{0}c')
})

test('a bad cursor is refused, as is that of another tenant', async () => {
  const shown = await show()
  const globex = await show('globex', shown.store)
  for (let n = 0; n < 26; n += 1) await globex.runtime.references.put('note', `number ${n}`)
  const path = /href="(\/references\?cursor=[^"]+)"/.exec((await globex.load('/references')).text)?.[1] ?? ''
  expect((await globex.load(path)).status).toBe(200)
  expect((await shown.load(path)).status).toBe(400)
  expect((await shown.load('/references?cursor=')).status).toBe(400)
})

test('it listens on the loopback address only', async () => {
  const { origin } = await show()
  const { hostname, port } = new URL(origin)
  expect(hostname).toBe('127.0.0.1')
  // All of 127.0.0.0/8 leads to this machine: a server that listened on every address would answer on this one too.
  const refused = await new Promise((resolve) => {
    const socket = connect(Number(port), '127.0.0.2')
    socket.on('connect', () => resolve('connected'))
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
  })
  expect(refused).not.toBe('connected')
})

test('every answer forbids scripts but ours, frames, caches and foreign content', async () => {
  const shown = await show()
  const script = /<script>(.*?)<\/script>/s.exec((await shown.load('/')).text)?.[1] ?? ''
  const hash = createHash('sha256').update(script).digest('base64')
  const answers = [await shown.load('/'), await shown.load('/nothing'), await request(`${shown.origin}/`)]
  for (const path of ['/style.css', '/icon.svg']) answers.push(await shown.load(path))
  for (const { headers } of answers) {
    const policy = headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy.replaceAll(/sha256-[\w+/=]+/g, '')).not.toMatch(/unsafe|\*|data:|https?:/)
    expect(/script-src ([^;]*)/.exec(policy)?.[1]).toBe(`'sha256-${hash}'`)
    expect(policy).toContain("frame-ancestors 'none'")
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('access-control-allow-origin')).toBeNull()
  }
})
