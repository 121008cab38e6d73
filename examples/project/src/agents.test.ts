import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createHost, type ModelEvent } from 'bailiwick'
import { scriptedModel, testStore } from 'bailiwick/testing'
import { spec } from './agents.ts'
import { modelName } from './models.ts'
import type { Charge } from './payments.ts'

const usage = { inputTokens: 1, outputTokens: 1 }
const turns: ModelEvent[][] = [
  [
    { type: 'tool.call', callId: 'call-1', tool: 'charge', input: '{"customer":"kim","euros":42}' },
    { type: 'finish', reason: 'tool-calls', usage },
  ],
  [
    { type: 'text.delta', id: 'answer', delta: 'Done.' },
    { type: 'finish', reason: 'stop', usage },
  ],
]

/** The agents on a store in memory, with a model that answers by a script, and the charges that were made. */
async function start(t: TestContext) {
  const charged: Charge[] = []
  const [provider = ''] = modelName.split('/')
  const host = await createHost(spec, {
    store: await testStore(),
    models: { [provider]: scriptedModel(turns) },
    tools: { charge: (input) => charged.push(input) },
  })
  t.after(() => host.close())
  return { charged, acme: await host.runtime('acme'), globex: await host.runtime('globex') }
}

test('a charge is made once a person has approved it, and not before', async (t) => {
  const { charged, acme } = await start(t)
  const asked = await acme.query('Charge kim 42 euros').result()
  assert.equal(asked.status, 'suspended')
  assert.deepEqual(charged, [])

  const [approval] = (await acme.approvals.pending()).items
  assert.ok(approval)
  await acme.approvals.respond(approval.approvalId, { decision: 'approve', actor: 'lee' })
  const result = await acme.runs.resume(asked.runId).result()
  assert.equal(result.status, 'completed')
  assert.deepEqual(charged, [{ customer: 'kim', euros: 42 }])
})

test('another customer neither sees nor approves the charge', async (t) => {
  const { charged, acme, globex } = await start(t)
  await acme.query('Charge kim 42 euros').result()
  const [approval] = (await acme.approvals.pending()).items
  assert.ok(approval)
  assert.deepEqual((await globex.approvals.pending()).items, [])
  const decision = { decision: 'approve', actor: 'ann' } as const
  await assert.rejects(globex.approvals.respond(approval.approvalId, decision), { code: 'NOT_FOUND' })
  assert.deepEqual(charged, [])
})
