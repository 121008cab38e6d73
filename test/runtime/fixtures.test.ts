import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import * as bailiwick from '../../ts/index.ts'
import { type Checkpoint, verifyConsistency } from '../../ts/ledger/index.ts'
import { model, specOf, spoken } from '../fixtures/stores/life.mjs'
import { openStoreOf, storesIn } from '../support/fixtures.ts'
import { freshFolder } from '../support/stores.ts'

interface Facts {
  readonly [fact: string]: unknown
  readonly decided: readonly string[]
  readonly checkpoint: Checkpoint
}

const fixtures = storesIn('stores')
const open = (name: string) => openStoreOf<Facts>('stores', name)

/** Tools as in the fixture, but that a booking comes to an end. */
const tools = {
  search: async () => ({ found: 'again' }),
  book: async () => ({ booked: true }),
  send: async () => ({ sent: true }),
}

const retention = { threads: { ttlMs: 1 } }

it('there are fixtures', () => {
  expect(fixtures).toEqual(expect.arrayContaining(['115a762.json.gz', '863bd7d.json.gz', 'de3f78b.json.gz']))
})

describe.each(fixtures)('the store %s of an earlier version', (name) => {
  it('opens, and everything in it is read and gone on with', async () => {
    const { store, facts } = await open(name)
    const options = { store, models: { test: model }, tools }
    const acme = await bailiwick.createRuntime(specOf(bailiwick, 'acme'), options)
    const textsOf = async (threadId: string) => {
      const { items } = await acme.threads.messages(threadId)
      return items.map(({ parts: [part] }) => (part?.type === 'text' ? part.text : part?.type))
    }
    expect(await textsOf(facts['thread'] as string)).toEqual(spoken)
    expect(await textsOf(facts['fork'] as string)).toEqual(spoken.slice(0, 3))
    const contentOf = async (id: string) => (await acme.references.resolve(id)).text()
    expect(await contentOf(facts['reference'] as string)).toBe('what is kept')
    expect(await contentOf(facts['large'] as string)).toBe('x'.repeat(20_000))
    expect(await acme.cache.get('greeting')).toEqual({ hello: 'world' })
    expect((await acme.plans.history('plan')).map(({ goal }) => goal)).toEqual(['first', 'second'])
    const history = (await acme.approvals.history()).items
    expect(history.map(({ decision }) => decision)).toEqual(['approved', 'rejected', 'approved', 'approved'])
    expect(history.slice(0, 3).map(({ approvalId }) => approvalId)).toEqual(facts.decided)
    expect(store.publicKey).toBe(facts['publicKey'])
    const runs = (await acme.runs.list()).items.map(({ runId, status }) => [runId, status])
    const began = ['interrupted', 'approved', 'suspended', 'completed'] as const
    const stood = ['interrupted', 'suspended', 'suspended', 'completed']
    expect(runs).toEqual(began.map((run, index) => [facts[run], stood[index]]))

    for (const { approvalId } of (await acme.approvals.pending()).items) {
      await acme.approvals.respond(approvalId, { decision: 'approve', actor: 'lee' })
    }
    for (const run of began) {
      const { status, text, threadId } = await acme.runs.resume(facts[run] as string).result()
      expect([run, status, text]).toEqual([run, 'completed', 'Done.'])
      expect(await textsOf(threadId)).toHaveLength(4)
    }
    expect((await acme.query({ prompt: 'find' }).result()).status).toBe('completed')
    expect(
      (await acme.threads.append(facts['thread'] as string, [{ role: 'user', parts: [], createdAt: 9 }])).length,
    ).toBe(1)
    const report = await acme.approvals.verify({ against: facts.checkpoint })
    expect(report.problems).toEqual([])
    expect(report.size).toBe(5)
    expect(verifyConsistency(await acme.approvals.proveConsistency(facts.checkpoint), store.publicKey)).toBe(true)
  })
})

// Stores of later versions have swept it before they were kept.
it('a store of an earlier version loses what expired threads left behind, although nobody has them open', async () => {
  const { store } = await open('115a762.json.gz')
  const before = (await store.backup(join(freshFolder(), 'before'))).rows
  // A message, a record and a row that is due of each, and nothing of what is kept.
  expect((await store.sweep()).removed).toBe(30)
  expect((await store.sweep()).removed).toBe(0)
  const globex = await bailiwick.createRuntime(specOf(bailiwick, 'globex', retention), {
    store,
    models: { test: model },
    tools,
  })
  expect((await globex.threads.list()).items).toEqual([])
  // New rows say whose the tag is, and that the sweeper has come through all tenants.
  const { rows } = await store.backup(join(freshFolder(), 'after'))
  expect(before - rows).toBeGreaterThanOrEqual(30 - 3)
})
