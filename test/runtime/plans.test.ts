import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  createRuntime,
  definePlan,
  defineRuntime,
  type PlanDraft,
  QuotaExceededError,
  type Runtime,
} from '../../ts/index.ts'
import { codeOf, failureOf, visible } from '../support/failures.ts'
import { engines, noon, openFresh, runtimeFor } from '../support/stores.ts'
import { acme } from '../unit/support.ts'

const draft: PlanDraft = {
  type: 'launch',
  planId: 'spring',
  goal: 'Ship it',
  steps: [
    { id: 'build', tool: 'build', input: { target: 'all' } },
    { id: 'ship', tool: 'ship', input: { $step: 'build', path: '/file' }, dependsOn: ['build'], note: 'at night' },
  ],
  details: { region: 'eu' },
}

const DAY = 24 * 60 * 60 * 1000

describe.each(engines)('plans on %s', (engine) => {
  it('are kept in versions, with the hash of the versioned part', async () => {
    const store = await openFresh(engine, {}, { now: noon })
    const { plans } = await runtimeFor(store)
    const first = await plans.save(draft)
    // Keys in the order of RFC 8785.
    const { details, goal, planId, steps, type } = draft
    const canonical = JSON.stringify({
      details,
      goal,
      planId,
      steps: [
        { id: 'build', input: { target: 'all' }, tool: 'build' },
        {
          dependsOn: ['build'],
          id: 'ship',
          input: { $step: 'build', path: '/file' },
          note: 'at night',
          tool: 'ship',
        },
      ],
      type,
      version: 1,
    })
    const hash = createHash('sha256').update(canonical).digest('hex')
    const expected = { ...draft, version: 1, hash, status: 'draft', createdAt: noon, updatedAt: noon }
    expect(first).toStrictEqual(expected)
    await store.advance(10)
    const second = await plans.save({ type, planId: 'spring', goal: 'Ship half of it', steps }, { expectedVersion: 1 })
    expect(second).toMatchObject({ version: 2, createdAt: noon, updatedAt: noon + 10 })
    expect('details' in second).toBe(false)
    expect(await plans.load('spring')).toStrictEqual(second)
    expect(await plans.load('spring', { version: 1 })).toStrictEqual(first)
    expect(await plans.history('spring')).toStrictEqual([first, second])
    const { steps: _, ...summary } = second
    expect((await plans.list()).items).toStrictEqual([summary])
  })

  it('a version that was not expected is a conflict', async () => {
    const { plans } = await runtimeFor(await openFresh(engine))
    expect(await codeOf(() => plans.save(draft, { expectedVersion: 1 }))).toBe('CONFLICT')
    await plans.save(draft, { expectedVersion: 0 })
    expect(await codeOf(() => plans.save(draft, { expectedVersion: 0 }))).toBe('CONFLICT')
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () => plans.save(draft, { expectedVersion: 1 })),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await plans.history('spring')).toHaveLength(2)
  })

  it('another tenant does not find a plan, as if it never existed', async () => {
    const store = await openFresh(engine)
    const mine = await runtimeFor(store)
    await mine.plans.save(draft)
    const other = await runtimeFor(store, 'other')
    await other.plans.save({ ...draft, planId: 'own' })
    for (const call of [
      (id: string) => other.plans.load(id),
      (id: string) => other.plans.load(id, { version: 1 }),
      (id: string) => other.plans.history(id),
    ]) {
      const absent = visible(await failureOf(() => call('never')))
      for (const id of ['spring', '', 'x'.repeat(257), '\ud800', 'é'.repeat(256), 7 as never, null as never]) {
        expect(visible(await failureOf(() => call(id)))).toEqual(absent)
      }
      expect(await codeOf(() => call('never'))).toBe('NOT_FOUND')
    }
    expect((await other.plans.list()).items.map(({ planId }) => planId)).toEqual(['own'])
  })

  it('lists are newest first, in pages', async () => {
    const store = await openFresh(engine)
    const { plans } = await runtimeFor(store)
    const { planId: _, ...nameless } = draft
    const ids: string[] = []
    for (let count = 0; count < 5; count += 1) ids.unshift((await plans.save(nameless)).planId)
    for (const id of ids) expect(id).toMatch(/^plan_[a-z2-7]{32}$/)
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await plans.list(cursor === undefined ? { limit: 2 } : { limit: 2, cursor })
      seen.push(...page.items.map(({ planId }) => planId))
      cursor = page.cursor
    } while (cursor !== undefined)
    expect(seen).toEqual(ids)
    const { cursor: foreign } = await plans.list({ limit: 1 })
    const other = await runtimeFor(store, 'other')
    await other.plans.save(draft)
    for (const bad of [{ limit: 0 }, { limit: 1001 }, { limit: 1.5 }, { cursor: '' }, { cursor: 'x' }]) {
      expect(await codeOf(() => plans.list(bad))).toBe('INVALID_INPUT')
    }
    expect(await codeOf(() => other.plans.list({ cursor: foreign as string }))).toBe('INVALID_INPUT')
  })

  it('an invalid plan is refused', async () => {
    const { plans } = await runtimeFor(await openFresh(engine))
    const cycle: Record<string, unknown> = {}
    cycle['self'] = cycle
    const bad: unknown[] = [
      undefined,
      null,
      'plan',
      {},
      { ...draft, extra: 1 },
      { ...draft, type: 'Not A Name' },
      { ...draft, planId: '' },
      { ...draft, goal: '' },
      { ...draft, goal: '\ud800' },
      { ...draft, steps: [{ id: 'a', tool: 'b', input: undefined }] },
      { ...draft, steps: [{ id: 'a', tool: 'b', input: 1, dependsOn: ['a'] }] },
      { ...draft, details: 1n },
      { ...draft, details: cycle },
    ]
    for (const plan of bad) expect(await codeOf(() => plans.save(plan as PlanDraft))).toBe('INVALID_INPUT')
    for (const expectedVersion of [-1, 0.5, Number.NaN, '1']) {
      const options = { expectedVersion: expectedVersion as number }
      expect(await codeOf(() => plans.save(draft, options))).toBe('INVALID_INPUT')
    }
    expect((await plans.list()).items).toEqual([])
  })

  it('the details of a registered type fit its schema', async () => {
    const launch = definePlan({
      name: 'launch',
      details: { type: 'object', properties: { region: { type: 'string' } }, required: ['region'] },
    })
    const store = await openFresh(engine)
    const { plans } = await createRuntime(defineRuntime({ tenant: acme, plans: [launch] }), { store })
    expect((await plans.save(draft)).details).toEqual({ region: 'eu' })
    expect(await codeOf(() => plans.save({ ...draft, details: { region: 7 } }))).toBe('INVALID_INPUT')
  })

  it('plans are kept for 365 days, or for the retention of the spec', async () => {
    const store = await openFresh(engine, {}, { now: noon })
    const { plans } = await runtimeFor(store)
    await plans.save(draft)
    const spec = defineRuntime({ tenant: acme, retention: { plans: { ttlMs: null } } })
    const kept: Runtime = await createRuntime(spec, { store })
    await kept.plans.save({ ...draft, planId: 'kept' })
    await store.advance(365 * DAY - 1)
    expect((await plans.load('spring')).version).toBe(1)
    await store.advance(1)
    expect(await codeOf(() => plans.load('spring'))).toBe('NOT_FOUND')
    expect((await plans.list()).items.map(({ planId }) => planId)).toEqual(['kept'])
  })

  it('plans count, and their limit holds', async () => {
    const spec = defineRuntime({ tenant: acme, limits: { items: { plans: 1 } } })
    const runtime = await createRuntime(spec, { store: await openFresh(engine) })
    await runtime.plans.save(draft)
    await runtime.plans.save(draft)
    const error = await failureOf(() => runtime.plans.save({ ...draft, planId: 'second' }))
    expect(error).toBeInstanceOf(QuotaExceededError)
    expect(error).toMatchObject({ quota: 'items.plans', limit: 1, used: 1 })
    expect((await runtime.usage()).storage.plans.items).toBe(1)
  })

  it('nothing works once the runtime is closed', async () => {
    const { plans, close } = await runtimeFor(await openFresh(engine)).then((runtime) => ({
      plans: runtime.plans,
      close: () => runtime.close(),
    }))
    await close()
    for (const call of [
      () => plans.save(draft),
      () => plans.load('spring'),
      () => plans.list(),
      () => plans.history('spring'),
    ]) {
      expect(await codeOf(call)).toBe('CLOSED')
    }
  })
})
