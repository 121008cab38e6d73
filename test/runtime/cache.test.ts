import { describe, expect, it } from 'vitest'
import { createRuntime, type JsonValue, type Runtime, type ToolContext } from '../../ts/index.ts'
import { calls, says, script } from '../loop/models.ts'
import { specOf } from '../loop/specs.ts'
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
  it('gives back JSON and bytes as they were', async () => {
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

  it('a value is absent after its expiry, a delete or a replacement', async () => {
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

  it('keys are compared exactly', async () => {
    const { cache } = await runtimeFor(await openFresh(engine))
    const keys = ['a', 'A', 'a ', ' a', 'ä', 'a\u0308', 'a\u0000', '\u0000a', 'a/', 'a*', 'a%']
    for (const key of keys) await cache.set(key, key)
    for (const key of keys) expect(await cache.get(key)).toBe(key)
  })

  it('computes once for all concurrent callers, also through other handles', async () => {
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

  it('a failure is not cached: the caller gets its own, and the next waiter computes', async () => {
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

  it('closing the computing handle lets the waiters compute', async () => {
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

  it('a computation may use the runtime, its own cache included', async () => {
    const { cache, references } = await runtimeFor(await openFresh(engine))
    const value = await cache.getOrCompute('outer', { ttlMs: 1000 }, async () => {
      const inner = await cache.getOrCompute('inner', {}, () => 'in')
      return { inner, id: (await references.put('thing', inner)).id }
    })
    expect((await references.resolve(value.id)).text()).toBe('in')
  })
})

describe('a computation that would wait for itself', () => {
  const never = () => {
    throw new Error('This must not be computed.')
  }

  it('is refused, however it comes about', async () => {
    const store = await openFresh('memory')
    const handles = [runtimeFor(store), runtimeFor(store, 'acme', 'v2')]
    const [{ cache }, { cache: twin }] = (await Promise.all(handles)) as [Runtime, Runtime]
    const ask = (key: string, compute: () => Promise<JsonValue>, by = cache) => by.getOrCompute(key, {}, compute)
    const ways: { readonly [way: string]: (key: string) => Promise<JsonValue> } = {
      'its own key': (key) => ask(key, () => ask(key, never)),
      'through another handle': (key) => ask(key, () => ask(key, never, twin)),
      'after a timer': (key) =>
        ask(key, async () => {
          await new Promise((resolve) => setTimeout(resolve))
          return await ask(key, never)
        }),
      'among others': (key) =>
        ask(key, async () => await Promise.all([ask(`${key} other`, async () => 1), ask(key, never)])),
      'through another key': (key) => ask(key, () => ask(`${key} b`, () => ask(key, never))),
      'through two others': (key) =>
        ask(key, () => ask(`${key} b`, () => ask(`${key} c`, () => ask(key, never), twin))),
    }
    for (const [way, begin] of Object.entries(ways)) {
      expect([way, await codeOf(() => begin(way))]).toEqual([way, 'INVALID_INPUT'])
      // Nobody is left waiting.
      expect(await ask(way, async () => 'anew')).toBe('anew')
    }
  })

  it('is refused to one of two or three that wait for each other, and the others continue', async () => {
    const { cache } = await runtimeFor(await openFresh('memory'))
    for (const keys of [
      ['a', 'b'],
      ['x', 'y', 'z'],
    ]) {
      const begun = keys.map(() => deferred<void>())
      const all = Promise.all(begun.map(({ promise }) => promise))
      const asked = keys.map((key, at) =>
        cache.getOrCompute(key, {}, async () => {
          begun[at]?.resolve()
          await all
          const next = keys[(at + 1) % keys.length] as string
          return await cache.getOrCompute(next, {}, async () => 'computed after all').catch((error) => `${error.code}`)
        }),
      )
      // One is refused, and that is what each gets in the end.
      expect(await Promise.all(asked)).toEqual(keys.map(() => 'INVALID_INPUT'))
    }
  })

  it('is refused in a tool of a run that the computation waits for', async () => {
    const store = await openFresh('memory')
    const codes: unknown[] = []
    const model = script(calls(['look', {}]), says('Done.'))
    const look = async (_: unknown, { cache }: ToolContext) => {
      codes.push(await codeOf(() => cache.getOrCompute('answer', {}, never)))
      return 1
    }
    const runtime = await createRuntime(specOf('acme'), { store, models: { test: model }, tools: { look } })
    const answer = await runtime.cache.getOrCompute('answer', {}, async () => {
      const { status } = await runtime.query('Go').result()
      return status
    })
    expect([answer, codes]).toEqual(['completed', ['INVALID_INPUT']])
  })

  it('all other computations are allowed', async () => {
    const store = await openFresh('memory')
    const [{ cache }, { cache: other }] = await Promise.all([runtimeFor(store), runtimeFor(store, 'globex')])
    // The same key of another tenant; one key twice within a computation; a value that was set meanwhile.
    const value = await cache.getOrCompute('key', {}, async () => {
      const foreign = await other.getOrCompute('key', {}, () => 'foreign')
      const twice = await Promise.all([1, 2].map((at) => cache.getOrCompute('part', {}, () => at)))
      await cache.set('key', 'set')
      return [foreign, twice, await cache.getOrCompute('key', {}, never)]
    })
    expect(value).toEqual(['foreign', [1, 1], 'set'])
    // Two that ask a third in turn, which has both of them wait.
    const gate = deferred<void>()
    const third = cache.getOrCompute('third', {}, async () => {
      await gate.promise
      return 3
    })
    const both = ['one', 'two'].map((key) =>
      cache.getOrCompute(key, {}, () => cache.getOrCompute('third', {}, () => Promise.reject(new Error('not again')))),
    )
    gate.resolve()
    expect(await Promise.all([third, ...both])).toEqual([3, 3, 3])
    // What a computation started goes on after it.
    const late = deferred<JsonValue>()
    const ended = deferred<void>()
    await cache.getOrCompute('early', { ttlMs: 60_000 }, () => {
      void ended.promise.then(async () => late.resolve(await cache.getOrCompute('early', {}, () => 'again')))
      return 'once'
    })
    await cache.delete('early')
    ended.resolve()
    expect(await late.promise).toBe('again')
  })
})
