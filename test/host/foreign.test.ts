import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { engines } from '../support/stores.ts'
import { type Belongings, Client, freshHost, furnish, kindsOf, tokenFor } from './client.ts'

/** Every request that names something by its id, and what its owner is answered; those that change it come last. */
const requests: readonly (readonly [string, keyof Belongings, (id: string) => string, number, object?])[] = [
  ['GET', 'runId', (id) => `/runs/${id}`, 200],
  ['GET', 'runId', (id) => `/runs/${id}/events`, 200],
  ['GET', 'approvalId', (id) => `/approvals/${id}`, 200],
  ['GET', 'threadId', (id) => `/threads/${id}/messages`, 200],
  ['GET', 'referenceId', (id) => `/references/${id}`, 200],
  ['POST', 'approvalId', (id) => `/approvals/${id}`, 200, { decision: 'reject', reason: 'Because.' }],
  ['POST', 'approvalId', (id) => `/approvals/${id}`, 409, { decision: 'approve' }],
  ['POST', 'runId', (id) => `/runs/${id}/cancel`, 204],
]

/** An id of the same form that nobody has. */
function absent(id: string): string {
  const letters = Array.from(randomBytes(id.length), (byte) => 'abcdefghijklmnopqrstuvwxyz234567'[byte % 32])
  return id.replace(/[a-z2-7]+$/, (random) => letters.slice(0, random.length).join(''))
}

describe.each(engines)('another tenant at a host on %s', (engine) => {
  it('gets the same bytes for foreign, absent and ill-formed ids, on every route, and changes nothing', async () => {
    const host = await freshHost(engine)
    const owner = new Client(host, await tokenFor('acme'))
    const things = await furnish(owner)
    const before = await Promise.all(['/approvals', `/runs/${things.runId}`].map((path) => owner.send('GET', path)))
    const settled = new Client(host, await tokenFor('globex', 'kim'))
    await furnish(settled)
    for (const attacker of [settled, new Client(host, await tokenFor('newcomer', 'kim'))]) {
      for (const [method, kind, path, , body] of requests) {
        const ids = [things[kind], absent(things[kind]), 'x', '%00', `${things[kind]}%20`]
        const answers = await Promise.all(ids.map((id) => attacker.send(method, path(id), body)))
        for (const answer of answers) expect(answer).toEqual(answers[0])
        expect(answers[0]).toMatchObject({ status: 404 })
        expect(answers[0]?.headers).toContainEqual(['cache-control', 'private, no-store'])
        // Where to go on in a stream makes no difference either.
        const late = await attacker.send(method, path(things[kind]), body, { 'last-event-id': '1' })
        expect(late).toEqual(answers[0])
      }
    }
    const after = await Promise.all(['/approvals', `/runs/${things.runId}`].map((path) => owner.send('GET', path)))
    expect(after).toEqual(before)
    // The owner gets something else for each: the requests are not wrong in themselves.
    for (const [method, kind, path, status, body] of requests) {
      const response = await owner.open(method, path(things[kind]), body)
      expect([method, path('…'), response.status]).toEqual([method, path('…'), status])
      await response.body?.cancel()
    }
  })

  it('lists nothing of another tenant, and cannot continue its lists', async () => {
    const host = await freshHost(engine)
    const owner = new Client(host, await tokenFor('acme'))
    await furnish(owner)
    await furnish(owner)
    const attacker = new Client(host, await tokenFor('globex'))
    expect((await attacker.send('GET', '/approvals')).body).toBe('{"items":[]}')
    const first = JSON.parse((await owner.send('GET', '/approvals?limit=1')).body) as { cursor: string }
    const next = (cursor: string) => `/approvals?limit=1&cursor=${encodeURIComponent(cursor)}`
    expect((await owner.send('GET', next(first.cursor))).status).toBe(200)
    const stolen = await attacker.send('GET', next(first.cursor))
    expect(stolen.status).toBe(400)
    expect(stolen).toEqual(await attacker.send('GET', next('made-up')))
  })

  it('begins a thread of its own when it names another tenant’s, busy as that is', async () => {
    const host = await freshHost(engine)
    const owner = new Client(host, await tokenFor('acme'))
    const { threadId } = await furnish(owner)
    // The owner's suspended run holds it.
    const ask = { prompt: 'List the orders', threadId }
    expect((await owner.send('POST', '/query', ask)).status).toBe(409)
    const before = await owner.send('GET', `/threads/${threadId}/messages`)
    const attacker = new Client(host, await tokenFor('globex'))
    const stolen = kindsOf(await attacker.events('POST', '/query', ask))
    expect(stolen).toEqual(kindsOf(await attacker.events('POST', '/query', { ...ask, threadId: 'of-my-own' })))
    const messages = (await attacker.send('GET', `/threads/${threadId}/messages`)).body
    expect([messages.includes('List the orders'), messages.includes('Refund')]).toEqual([true, false])
    expect(await owner.send('GET', `/threads/${threadId}/messages`)).toEqual(before)
  })

  it('decides nothing without the scope, and is refused before any look-up', async () => {
    const host = await freshHost(engine)
    const owner = new Client(host, await tokenFor('acme'))
    const { approvalId } = await furnish(owner)
    const clerk = new Client(host, await tokenFor('acme', 'clerk', { scope: 'read' }))
    const attacker = new Client(host, await tokenFor('globex', 'clerk', { scope: 'disapprove approved' }))
    const answers = await Promise.all([
      clerk.send('POST', `/approvals/${approvalId}`, { decision: 'approve' }),
      clerk.send('POST', `/approvals/${absent(approvalId)}`, { decision: 'approve' }),
      attacker.send('POST', `/approvals/${approvalId}`, { decision: 'approve' }),
    ])
    expect(answers[0]).toMatchObject({ status: 403 })
    for (const answer of answers) expect(answer).toEqual(answers[0])
    expect((await owner.send('GET', `/approvals/${approvalId}`)).body).toContain('"pending"')
  })

  it('decides under its own name only: an actor in the body is refused', async () => {
    const host = await freshHost(engine)
    const owner = new Client(host, await tokenFor('acme'))
    const { approvalId } = await furnish(owner)
    const forged = { decision: 'approve', actor: 'boss' }
    expect((await owner.send('POST', `/approvals/${approvalId}`, forged)).status).toBe(400)
    expect((await owner.send('POST', '/query', { prompt: 'x', actor: 'boss' })).status).toBe(400)
    expect((await owner.send('GET', `/approvals/${approvalId}`)).body).toContain('"pending"')
  })
})
