import { describe, expect, it } from 'vitest'
import type { JsonValue } from '../../ts/index.ts'
import { codeOf } from '../support/failures.ts'
import { engines, noon, openFresh, runtimeFor } from '../support/stores.ts'

/** A promise and what settles it. */
function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: unknown) => void } {
  let [resolve, reject]: [(value: T) => void, (error: unknown) => void] = [() => {}, () => {}]
  const promise = new Promise<T>((...settle) => {
    ;[resolve, reject] = settle
  })
  return { promise, resolve, reject }
}

describe.each(engines)('cache on %s', (engine) => {
  it('B4: gives back JSON and bytes as they were', async () => {
    const { cache } = await runtimeFor(await openFresh(engine))
    const values: JsonValue[] = [null, 0, false, '', 'text', [1, [2]], { z: 1, a: { b: null } }, 'x'.repeat(500_000)]
    for (const value of values) {
      await cache.set('key', value)
      expect(await cache.get('key')).toStrictEqual(value)
    }
    const bytes = new Uint8Array(300_000).fill(4)
    const pending = cache.set('key', bytes)
    bytes.fill(5)
    await pending
    const kept = await cache.get<Uint8Array>('key')
    expect([kept?.byteOffset, kept?.buffer.byteLength, kept?.every((byte) => byte === 4)]).toEqual([0, 300_000, true])
    kept?.fill(9)
    expect((await cache.get<Uint8Array>('key'))?.[0]).toBe(4)
    await cache.set('key', { at: new Date(0) } as never)
    expect(await cache.get('key')).toEqual({ at: '1970-01-01T00:00:00.000Z' })
  })

  it('B8: a value is gone at its expiry, when it is deleted or replaced', async () => {
    const store = await openFresh(engine, {}, { now: noon })
    const { cache } = await runtimeFor(store)
    expect(await cache.get('key')).toBeUndefined()
    expect(await cache.delete('key')).toBe(false)
    await cache.set('key', 1, { ttlMs: 10 })
    await store.advance(9)
    expect(await cache.get('key')).toBe(1)
    await store.advance(1)
    expect(await cache.get('key')).toBeUndefined()
    expect(await cache.delete('key')).toBe(false)
    await cache.set('key', 2, { ttlMs: 1000 })
    await cache.set('key', 3, { ttlMs: 10 })
    await store.advance(10)
    expect(await cache.get('key')).toBeUndefined()
    await cache.set('key', 4)
    expect(await cache.delete('key')).toBe(true)
    expect(await cache.delete('key')).toBe(false)
  })

  it('B4: keys are compared exactly', async () => {
    const { cache } = await runtimeFor(await openFresh(engine))
    const keys = ['a', 'A', 'a ', ' a', 'ä', 'a\u0308', 'a\u0000', '\u0000a', 'a/', 'a*', 'a%']
    for (const key of keys) await cache.set(key, key)
    for (const key of keys) expect(await cache.get(key)).toBe(key)
  })

  it('B4: computes once for all who ask at the same time, also through other handles', async () => {
    const store = await openFresh(engine)
    const [one, two] = await Promise.all([runtimeFor(store), runtimeFor(store)])
    const other = await runtimeFor(store, 'globex')
    let calls = 0
    const gate = deferred<void>()
    const compute = async () => {
      calls += 1
      await gate.promise
      return { calls }
    }
    const asked = [one, two, one].map(({ cache }) => cache.getOrCompute('key', {}, compute))
    expect(await other.cache.getOrCompute('key', {}, () => 'own')).toBe('own')
    gate.resolve()
    expect(await Promise.all(asked)).toEqual([{ calls: 1 }, { calls: 1 }, { calls: 1 }])
    expect(await one.cache.get('key')).toEqual({ calls: 1 })
    expect(await two.cache.getOrCompute('key', {}, () => 'never')).toEqual({ calls: 1 })
  })

  it('B4: a failure is not kept: it is the own, and the next who waits computes', async () => {
    const { cache } = await runtimeFor(await openFresh(engine))
    const failing = deferred<number>()
    const failure = new RangeError('of the caller')
    const begun = deferred<void>()
    const first = cache.getOrCompute('key', {}, () => {
      begun.resolve()
      return failing.promise
    })
    await begun.promise
    const second = cache.getOrCompute('key', {}, () => 2)
    failing.reject(failure)
    await expect(first).rejects.toBe(failure)
    expect(await second).toBe(2)
    expect(await codeOf(() => cache.getOrCompute('other', {}, () => undefined as never))).toBe('INVALID_INPUT')
    expect(await cache.getOrCompute('other', {}, () => 3)).toBe(3)
    const thrown = cache.getOrCompute('third', {}, () => {
      throw failure
    })
    await expect(thrown).rejects.toBe(failure)
  })

  it('B4: closing the handle of who computes lets those who wait compute', async () => {
    const store = await openFresh(engine)
    const [leader, waiting] = await Promise.all([runtimeFor(store), runtimeFor(store)])
    const gate = deferred<number>()
    const begun = deferred<void>()
    const lead = leader.cache.getOrCompute('key', {}, () => {
      begun.resolve()
      return gate.promise
    })
    await begun.promise
    const waits = waiting.cache.getOrCompute('key', {}, () => 2)
    await leader.close()
    gate.resolve(1)
    expect(await codeOf(() => lead)).toBe('CLOSED')
    expect(await waits).toBe(2)
  })

  it('B4: a computation may use the runtime, its own cache included', async () => {
    const { cache, references } = await runtimeFor(await openFresh(engine))
    const value = await cache.getOrCompute('outer', { ttlMs: 1000 }, async () => {
      const inner = await cache.getOrCompute('inner', {}, () => 'in')
      return { inner, id: (await references.put('thing', inner)).id }
    })
    expect((await references.resolve(value.id)).text()).toBe('in')
  })
})
