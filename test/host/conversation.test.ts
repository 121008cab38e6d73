import { describe, expect, it } from 'vitest'
import type { Approval, RunEvent } from '../../ts/index.ts'
import { engines } from '../support/stores.ts'
import { Client, freshHost, kindsOf, tokenFor } from './client.ts'

describe.each(engines)('a host on %s', (engine) => {
  it('a run waits for an approval over HTTP, the subject of a token decides it, and the run continues', async () => {
    const host = await freshHost(engine)
    const kim = new Client(host, await tokenFor('acme', 'kim'))
    const boss = new Client(host, await tokenFor('acme', 'boss'))
    const first = await kim.events('POST', '/query', { prompt: 'Please refund order 17' })
    expect(kindsOf(first).slice(-2)).toEqual(['approval.requested', 'run.suspended'])
    const { runId } = first[0] as RunEvent
    const pending = JSON.parse((await boss.send('GET', '/approvals')).body) as { items: Approval[] }
    expect(pending.items).toMatchObject([
      { runId, status: 'pending', requestedBy: 'kim', subject: { tool: 'refund', input: { order: 17 } } },
    ])
    const path = `/approvals/${pending.items[0]?.approvalId}`
    const decided = await boss.send('POST', path, { decision: 'approve', reason: 'It broke.' })
    expect(decided.status).toBe(200)
    expect(JSON.parse(decided.body)).toMatchObject({ decision: 'approved', actor: 'boss', requestedBy: 'kim' })
    expect((await boss.send('POST', path, { decision: 'approve' })).status).toBe(409)
    const last = first.findLast((event) => 'sequence' in event)
    // The host goes on with the run by itself.
    const rest = await kim.events('GET', `/runs/${runId}/events`, undefined, { 'last-event-id': `${last?.sequence}` })
    expect(kindsOf(rest)).toEqual([
      'approval.decided',
      'tool.called',
      'tool.completed',
      'model.completed',
      'agent.completed',
      'run.completed',
    ])
    expect(rest.at(-1)).toMatchObject({ text: 'Order 17 is refunded.' })
    expect(JSON.parse((await kim.send('GET', `/runs/${runId}`)).body)).toMatchObject({ status: 'completed' })
  })
})
