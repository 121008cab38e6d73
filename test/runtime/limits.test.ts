import { describe, expect, it, onTestFinished } from 'vitest'
import {
  createRuntime,
  defineRuntime,
  defineTenant,
  QuotaExceededError,
  type Runtime,
  type Store,
} from '../../ts/index.ts'
import { loadAddon } from '../../ts/native/loader.ts'
import { failureOf } from '../support/failures.ts'
import { engines, openFresh, runtimeFor } from '../support/stores.ts'

const KIB = 1 << 10
const LIMIT = 64 * KIB
/** What a call counts with beside its bytes. */
const CALL = 8 * KIB

function limited(store: Store, resourceId = 'acme', inFlightBytes = LIMIT): Promise<Runtime> {
  return createRuntime(defineRuntime({ tenant: defineTenant(resourceId, 'v1'), limits: { inFlightBytes } }), { store })
}

const bytes = (length: number, first: number) => new Uint8Array(length).fill(first)

/** What a refusal says, and that it is one. */
async function refusalOf(call: Promise<unknown>): Promise<QuotaExceededError> {
  const failure = await failureOf(() => call)
  if (!(failure instanceof QuotaExceededError)) throw new Error('It was not refused.')
  expect(failure.quota).toBe('inFlightBytes')
  return failure
}

/** Nothing is held any more: a call may have nearly the whole limit. */
async function hasRoom({ references }: Runtime, first: number): Promise<void> {
  const { byteLength } = await references.put('file', bytes(LIMIT - CALL - KIB, first))
  expect(byteLength).toBe(LIMIT - CALL - KIB)
}

describe.each(engines)('the limit on bytes under way on %s', (engine) => {
  it('refuses calls beyond it, does none of their work, and accepts calls again after others are answered', async () => {
    const runtime = await limited(await openFresh(engine))
    const puts = Array.from({ length: 10 }, (_, index) => runtime.references.put('file', bytes(20 * KIB - CALL, index)))
    const settled = await Promise.allSettled(puts)
    expect(settled.map(({ status }) => status)).toEqual([...Array(3).fill('fulfilled'), ...Array(7).fill('rejected')])
    const refusal = await refusalOf(puts[3] as Promise<unknown>)
    expect(refusal.limit).toBe(LIMIT)
    expect(refusal.used).toBeGreaterThan(60 * KIB)
    expect(refusal.used).toBeLessThan(61 * KIB)
    expect(refusal.message).toContain('Wait for the answers to earlier calls')
    expect((await runtime.references.list()).items).toHaveLength(3)
    await hasRoom(runtime, 100)
  })

  it('reports a call that is too large by itself as such', async () => {
    const runtime = await limited(await openFresh(engine))
    const refusal = await refusalOf(runtime.references.put('file', bytes(LIMIT + 1, 0)))
    expect(refusal.message).toContain('This call alone has')
    expect(refusal.used).toBe(0)
    expect(refusal.limit).toBe(LIMIT)
    await hasRoom(runtime, 1)
  })

  it('is shared by all handles of a tenant, and independent of other tenants', async () => {
    const store = await openFresh(engine)
    const [one, two, other] = [await limited(store), await limited(store), await limited(store, 'globex')]
    const first = one.references.put('file', bytes(50 * KIB, 1))
    const second = two.references.put('file', bytes(50 * KIB, 2))
    const foreign = other.references.put('file', bytes(50 * KIB, 2))
    expect((await refusalOf(second)).used).toBeGreaterThan(50 * KIB)
    await first
    await foreign
    await hasRoom(two, 3)
    await hasRoom(other, 3)
  })

  it('counts answers until they are fetched', async () => {
    const store = await openFresh(engine, { openedCacheBytes: 0 })
    const { id } = await (await runtimeFor(store)).references.put('file', bytes(40 * KIB, 1))
    const runtime = await limited(store)
    const fetching = holdBack()
    const answered = runtime.references.resolve(id)
    await fetching.when(1)
    // Refused on the spot: nothing is fetched meanwhile.
    expect((await refusalOf(runtime.references.put('file', bytes(30 * KIB, 2)))).used).toBeGreaterThan(40 * KIB)
    fetching.go()
    expect((await answered).bytes).toHaveLength(40 * KIB)
    await hasRoom(runtime, 2)
  })

  it('refuses a read whose answer has no room', async () => {
    const store = await openFresh(engine, { openedCacheBytes: 0 })
    const plenty = await runtimeFor(store)
    const ids = [1, 2].map(async (first) => (await plenty.references.put('file', bytes(40 * KIB, first))).id)
    const runtime = await limited(store)
    const refusal = await refusalOf(runtime.references.resolveMany(await Promise.all(ids)))
    expect(refusal.message).toContain('This call alone has')
    await hasRoom(runtime, 3)
  })

  it('a failed call gives back its reservation', async () => {
    const store = await openFresh(engine)
    const runtime = await limited(store)
    const failing = [
      () => runtime.references.put('Not a name', bytes(50 * KIB, 0)),
      () => runtime.references.put('file', bytes(50 * KIB, 0), { mediaType: 'none' }),
      () => runtime.cache.getOrCompute('key', {}, () => Promise.reject(new RangeError())),
      () => runtime.plans.load('plan'),
    ]
    for (const call of failing) await expect(call()).rejects.toThrow()
    await hasRoom(runtime, 1)
    const another = await limited(store)
    const inFlight = another.references.put('file', bytes(50 * KIB, 9)).catch(() => {})
    await another.close()
    await inFlight
    await hasRoom(runtime, 2)
  })

  it('a computation whose value has no room is given up, and others may compute', async () => {
    const runtime = await limited(await openFresh(engine))
    const large = runtime.cache.getOrCompute('key', {}, () => bytes(LIMIT + 1, 0))
    await refusalOf(large)
    expect(await runtime.cache.getOrCompute('key', {}, () => 1)).toBe(1)
  })
})

describe('answers', () => {
  it('are fetched in turn between tenants, and each tenant’s in their order', async () => {
    const store = await openFresh('memory')
    const [busy, other] = [await runtimeFor(store, 'busy'), await runtimeFor(store, 'other')]
    const order: string[] = []
    const fetching = holdBack()
    const calls = Array.from({ length: 200 }, () => busy.cache.get('key').then(() => order.push('busy')))
    await fetching.when(200)
    calls.push(other.cache.get('key').then(() => order.push('other')))
    await fetching.when(201)
    fetching.go()
    await Promise.all(calls)
    expect(order.indexOf('other')).toBeLessThan(3)
  })
})

/** Keeps this thread from fetching answers. */
function holdBack(): { when(waiting: number): Promise<void>; go(): void } {
  const addon = loadAddon()
  const { drain } = addon
  const go = () => {
    addon.drain = drain
  }
  onTestFinished(go)
  let waiting = 0
  let look = () => {}
  addon.drain = (environment, slab) => {
    drain(environment, slab, 0)
    waiting = new DataView(slab.buffer, slab.byteOffset).getUint32(8, true)
    look()
  }
  const when = (many: number) =>
    new Promise<void>((resolve) => {
      look = () => {
        if (waiting >= many) resolve()
      }
      look()
    })
  return { when, go }
}
