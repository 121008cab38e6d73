import { testStore, testToolContext } from 'bailiwick/testing'
import { expect, it } from 'vitest'
import { defineTenant } from '../../ts/index.ts'
import { codeOf } from '../support/failures.ts'
import { runtimeFor } from '../support/stores.ts'

/** What a tenant's verbs answer in a test store that another tenant uses too. */
async function transcript(seed: number | undefined, others: number): Promise<string> {
  await using store = await testStore(seed === undefined ? {} : { seed })
  const [runtime, other] = await Promise.all([runtimeFor(store, 'acme'), runtimeFor(store, 'globex')])
  for (let index = 0; index < others; index += 1) await other.references.put('thing', { index })
  const seen: unknown[] = []
  for (const value of ['x', { a: 1 }, 'y'.repeat(5000)]) seen.push(await runtime.references.put('thing', value))
  await store.advance(5)
  seen.push(await runtime.references.list({ limit: 2 }), await runtime.usage())
  return JSON.stringify(seen)
}

it('ids, cursors and times of a test store repeat for the same seed, whatever other tenants do', async () => {
  expect(await transcript(7, 0)).toBe(await transcript(7, 3))
  expect(await transcript(undefined, 0)).toBe(await transcript(0, 1))
  expect(await transcript(7, 0)).not.toBe(await transcript(8, 0))
})

it('a tenant that returns to a test store never gets the same id again', async () => {
  await using store = await testStore({ seed: 7 })
  const ids = new Set<string>()
  for (let visit = 0; visit < 5; visit += 1) {
    await using runtime = await runtimeFor(store, 'acme')
    ids.add((await runtime.approvals.request({ tool: 'refund', input: visit })).approvalId)
  }
  expect(ids.size).toBe(5)
})

it('the clock of a test store stands still until it is advanced', async () => {
  await using store = await testStore({ now: 5000 })
  const { cache, references } = await runtimeFor(store)
  await cache.set('key', 1, { ttlMs: 10 })
  expect((await references.put('thing', 1)).createdAt).toBe(5000)
  await store.advance(9)
  expect(await cache.get('key')).toBe(1)
  await store.advance(0)
  await store.advance(1)
  expect(await cache.get('key')).toBeUndefined()
  for (const wrong of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '1', undefined]) {
    expect(await codeOf(() => store.advance(wrong as number))).toBe('INVALID_INPUT')
  }
  await store.close()
  expect(await codeOf(() => store.advance(1))).toBe('CLOSED')
})

it('refuses invalid seeds and times', async () => {
  for (const wrong of [-1, 1.5, Number.NaN, 2 ** 53, '1', null]) {
    expect(await codeOf(() => testStore({ seed: wrong as number }))).toBe('INVALID_INPUT')
    expect(await codeOf(() => testStore({ now: wrong as number }))).toBe('INVALID_INPUT')
  }
  expect(await codeOf(() => testStore({ now: 0 }))).toBe('INVALID_INPUT')
})

it('a tool context for tests is frozen and complete, and accepts overrides', async () => {
  const context = testToolContext()
  expect(Object.isFrozen(context)).toBe(true)
  expect(context.signal.aborted).toBe(false)
  expect(JSON.stringify(context.tenant)).toBe('{"resourceId":"test-tenant","version":"v1"}')
  const calls = [...Object.values(context.references), ...Object.values(context.cache)] as (() => Promise<unknown>)[]
  expect(calls).toHaveLength(11)
  for (const call of calls) expect(await codeOf(call)).toBe('INVALID_INPUT')
  await using store = await testStore()
  const { references } = await runtimeFor(store)
  const given = testToolContext({ tenant: defineTenant('acme', 'v1'), actor: 'alice', references })
  expect([given.tenant.resourceId, given.actor]).toEqual(['acme', 'alice'])
  expect((await given.references.put('thing', 1)).id).toMatch(/^ref_/)
})
