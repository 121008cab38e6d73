import { describe, expect, it } from 'vitest'
import {
  createRuntime,
  defineRuntime,
  InvalidInputError,
  type Page,
  QuotaExceededError,
  type Runtime,
  type Store,
} from '../../../ts/index.ts'
import { failureOf } from '../../support/failures.ts'
import { engines, openFresh, runtimeFor } from '../../support/stores.ts'
import { acme } from '../../unit/support.ts'

const KIB = 1 << 10
const LIMIT = 256 * KIB

function limited(store: Store, inFlightBytes = LIMIT): Promise<Runtime> {
  return createRuntime(defineRuntime({ tenant: acme, limits: { inFlightBytes } }), { store })
}

async function quotaOf(call: () => Promise<unknown>): Promise<string> {
  const failure = await failureOf(call)
  return failure instanceof QuotaExceededError ? failure.quota : String(failure)
}

/** All pages of a list, and how many there were. */
async function pagesOf<T>(list: (options: { limit: number; cursor?: string }) => Promise<Page<T>>) {
  const items: T[] = []
  let pages = 0
  let cursor: string | undefined
  do {
    const page = await list({ limit: 1000, ...(cursor === undefined ? {} : { cursor }) })
    items.push(...page.items)
    pages += 1
    cursor = page.cursor
  } while (cursor !== undefined)
  return { items, pages }
}

describe.each(engines)('memory is reserved before it is taken, on %s', (engine) => {
  it('ids that are too many for one call cost nothing', async () => {
    const { references } = await runtimeFor(await openFresh(engine))
    const ids = Array.from({ length: 1_500_000 })
    let read = 0
    const counting = new Proxy(ids, {
      get: (target, key) => {
        if (key !== 'length') read += 1
        return Reflect.get(target, key)
      },
    })
    const failure = await failureOf(() => references.resolveMany(counting as string[]))
    expect(failure).toBeInstanceOf(InvalidInputError)
    expect(String(failure)).toContain('1500000 ids; at most 1000 ids in one resolveMany are allowed. Split it.')
    expect(read).toBe(0)
    const many = await failureOf(() => references.putMany(counting as never))
    expect(String(many)).toContain('1500000 items; at most 10000 items in one putMany are allowed. Split it.')
    expect(read).toBe(0)
  })

  it('an id that is asked for often is read once, and its answer is reserved first', async () => {
    const store = await openFresh(engine, { openedCacheBytes: 0 })
    const runtime = await limited(store)
    const { id } = await runtime.references.put('file', new Uint8Array(60 * KIB).fill(7))
    const found = await runtime.references.resolveMany([id, id, 'ref_', id])
    expect(found.map((one) => one?.bytes.length)).toEqual([60 * KIB, 60 * KIB, undefined, 60 * KIB])
    expect(await quotaOf(() => runtime.references.resolveMany(Array.from({ length: 1000 }, () => id)))).toBe(
      'inFlightBytes',
    )
    expect((await runtime.references.resolve(id)).bytes).toHaveLength(60 * KIB)
  })

  it('large approvals are read page by page, and none is skipped', async () => {
    const store = await openFresh(engine)
    const plenty = await runtimeFor(store)
    const asked: string[] = []
    for (let number = 0; number < 12; number += 1) {
      const input = `${number}`.repeat(40 * KIB).slice(0, 40 * KIB)
      asked.push((await plenty.approvals.request({ tool: 'pay', input })).approvalId)
    }
    const { approvals } = await limited(store)
    const { items, pages } = await pagesOf((options) => approvals.pending(options))
    expect(items.map(({ approvalId }) => approvalId)).toEqual(asked.toReversed())
    expect(pages).toBeGreaterThan(2)
  })

  it('an indivisible answer that does not fit is refused with advice, and can be read in parts', async () => {
    const store = await openFresh(engine)
    const plenty = await runtimeFor(store)
    for (let version = 0; version < 6; version += 1) {
      const steps = [{ id: 'a', tool: 'x', input: 'x'.repeat(50 * KIB) }]
      await plenty.plans.save({ type: 'report', planId: 'p', goal: `${version}`, steps })
    }
    await plenty.cache.set('large', new Uint8Array(300 * KIB))
    const { plans, cache } = await limited(store)
    expect(await quotaOf(() => plans.history('p'))).toBe('inFlightBytes')
    expect(await quotaOf(() => cache.get('large'))).toBe('inFlightBytes')
    expect(await quotaOf(() => cache.getOrCompute('large', {}, () => 1))).toBe('inFlightBytes')
    for (let version = 1; version <= 6; version += 1) {
      expect((await plans.load('p', { version })).goal).toBe(`${version - 1}`)
    }
    expect(await plenty.plans.history('p')).toHaveLength(6)
  })

  it('every call counts, whatever it brings', async () => {
    const runtime = await limited(await openFresh(engine))
    const calls = await Promise.allSettled(Array.from({ length: 100 }, () => runtime.cache.get('key')))
    const reasons = calls.flatMap((call) => (call.status === 'rejected' ? [call.reason] : []))
    // 8 KiB each: 31 fit, with their keys.
    expect(reasons.map(({ quota }) => quota)).toEqual(Array(69).fill('inFlightBytes'))
    expect(await runtime.cache.get('key')).toBeUndefined()
  })

  it('thousands of calls are ordinary', async () => {
    const { cache } = await runtimeFor(await openFresh(engine))
    const calls = Array.from({ length: 5000 }, () => cache.get('key'))
    expect((await Promise.all(calls)).every((value) => value === undefined)).toBe(true)
  })
})
