import { describe, expect, it } from 'vitest'
import type { ReferenceValue, Runtime } from '../../ts/index.ts'
import { codeOf, failureOf } from '../support/failures.ts'
import { engines, noon, openFresh, runtimeFor } from '../support/stores.ts'

/** No whole number of milliseconds above 0 that JavaScript can count with. */
const badTimes = [
  0,
  -1,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  2 ** 53,
  '1',
  null,
  1n,
  {},
]
const notOptions = [null, 'options', 1, true]
const notText = [undefined, null, 1, {}, [], new Uint8Array(1), '\ud800', 'a\udfff']
const badTypes = [...notText, '', 'Upper', '1st', 'ä', 'a b', '__proto__', 'a'.repeat(65), 'a\n']
const badMediaTypes = [
  '',
  'text',
  'text/',
  '/plain',
  'te xt/plain',
  'text/plän',
  'text/plain\n',
  `text/${'x'.repeat(255)}`,
  5,
  null,
  '\ud800',
]

describe.each(engines)('arguments on %s', (engine) => {
  async function open(): Promise<Runtime> {
    return await runtimeFor(await openFresh(engine, {}, { now: noon }))
  }

  /** Every call is refused as ill-formed, by a promise and not at once, and leaves nothing behind. */
  async function allRefused(runtime: Runtime, calls: (() => Promise<unknown>)[]): Promise<void> {
    for (const call of calls) expect([String(call), await codeOf(call)]).toEqual([String(call), 'INVALID_INPUT'])
    const { storage } = await runtime.usage()
    expect(Object.values(storage).every(({ items, bytes }) => items === 0 && bytes === 0)).toBe(true)
  }

  it('put and putMany refuse wrong types, options and items', async () => {
    const runtime = await open()
    const { references } = runtime
    const options = [
      ...badTimes.map((ttlMs) => ({ ttlMs })),
      ...badMediaTypes.map((mediaType) => ({ mediaType })),
    ] as object[]
    await allRefused(runtime, [
      ...badTypes.map((type) => () => references.put(type as string, 1)),
      ...options.map((option) => () => references.put('thing', 1, option)),
      ...notOptions.map((option) => () => references.put('thing', 1, option as never)),
      ...badTypes.map((type) => () => references.putMany([{ type: type as string, value: 1 }])),
      ...options.map((option) => () => references.putMany([{ type: 'thing', value: 1, ...option }])),
      ...[undefined, null, {}, 'items', new Set()].map((items) => () => references.putMany(items as never)),
      ...[null, undefined, 1, 'item'].map((item) => () => references.putMany([item as never])),
      // biome-ignore lint/suspicious/noSparseArray: a hole is what is tried
      () => references.putMany([, { type: 'thing', value: 1 }] as never),
    ])
  })

  it('putMany writes all or nothing', async () => {
    const runtime = await open()
    const good = Array.from({ length: 50 }, (_, value) => ({ type: 'thing', value }))
    const bad: { type: string; value: ReferenceValue; ttlMs?: number }[] = [
      { type: 'Thing', value: 1 },
      { type: 'thing', value: JSON.parse('{"__proto__":1}') },
      { type: 'thing', value: 1, ttlMs: 0 },
      { type: 'thing', value: 1n as never },
    ]
    await allRefused(
      runtime,
      bad.map((item) => () => runtime.references.putMany([...good, item])),
    )
    expect((await runtime.references.list()).items).toEqual([])
    expect(await runtime.references.putMany([])).toEqual([])
    const kept = await runtime.references.putMany(good)
    expect(kept.map(({ glimpse }) => glimpse)).toEqual(good.map(({ value }) => value))
  })

  it('list refuses limits outside 1 to 1,000, wrong types and cursors', async () => {
    const runtime = await open()
    const limits = [0, -1, 1001, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 2 ** 32 + 1, '5', null]
    const cursors = ['', 'x', 'AAAA', 'ä', '\ud800', 5, null, 'A'.repeat(10_000), '\u0000']
    const calls = () => [
      ...limits.map((limit) => () => runtime.references.list({ limit: limit as number })),
      ...cursors.map((cursor) => () => runtime.references.list({ cursor: cursor as string })),
      ...badTypes
        .filter((type) => type !== undefined)
        .map((type) => () => runtime.references.list({ type: type as string })),
      ...notOptions.map((options) => () => runtime.references.list(options as never)),
    ]
    await allRefused(runtime, calls())
    const { id } = await runtime.references.put('thing', 1)
    for (const call of calls()) expect(await codeOf(call)).toBe('INVALID_INPUT')
    await runtime.references.delete(id)
  })

  it('the cache refuses wrong keys, values, times and functions', async () => {
    const runtime = await open()
    const { cache } = runtime
    const keys = [...notText, '', 'k'.repeat(1025), 'ä'.repeat(513)] as string[]
    const values = [
      undefined,
      1n,
      () => 1,
      Symbol('s'),
      new ArrayBuffer(1),
      new DataView(new ArrayBuffer(1)),
      '\ud800',
      JSON.parse('{"__proto__":1}'),
    ] as never[]
    await allRefused(runtime, [
      ...keys.map((key) => () => cache.get(key)),
      ...keys.map((key) => () => cache.set(key, 1)),
      ...keys.map((key) => () => cache.delete(key)),
      ...keys.map((key) => () => cache.getOrCompute(key, {}, () => 1)),
      ...values.map((value) => () => cache.set('key', value)),
      ...values.map((value) => () => cache.getOrCompute('key', {}, () => value)),
      ...badTimes.map((ttlMs) => () => cache.set('key', 1, { ttlMs: ttlMs as number })),
      ...badTimes.map((ttlMs) => () => cache.getOrCompute('key', { ttlMs: ttlMs as number }, () => 1)),
      ...notOptions.map((options) => () => cache.set('key', 1, options as never)),
      ...notOptions.map((options) => () => cache.getOrCompute('key', options as never, () => 1)),
      ...[undefined, null, 5, {}].map((compute) => () => cache.getOrCompute('key', {}, compute as never)),
    ])
    for (const key of ['k'.repeat(1024), '__proto__', 'constructor', '../x', ' ', '\u0000', '*']) {
      await cache.set(key, key)
      expect(await cache.get(key)).toBe(key)
    }
  })

  it('whatever is asked for as an id is not found', async () => {
    const { references } = await open()
    const { id } = await references.put('thing', { a: 1 })
    // Letters whose low byte is that of the right one, as a careless conversion would read them.
    const twin = `ref_${Array.from(id.slice(4), (letter) => String.fromCharCode(letter.charCodeAt(0) + 0x100)).join('')}`
    const ids = [
      twin,
      id.toUpperCase(),
      `${id} `,
      ` ${id}`,
      id.slice(0, -1),
      `${id}a`,
      id.replace('ref_', 'REF_'),
      `ref_${'1'.repeat(32)}`,
      `ref_${'\ud800'.repeat(32)}`,
      `ref_${'ä'.repeat(32)}`,
      '',
      '__proto__',
      undefined,
      null,
      5,
      {},
      [id],
      Symbol('id'),
    ] as string[]
    await references.resolve(id)
    for (const wrong of ids) {
      expect(await codeOf(() => references.resolve(wrong))).toBe('NOT_FOUND')
      expect(await codeOf(() => references.describe(wrong))).toBe('NOT_FOUND')
      expect(await references.delete(wrong)).toBe(false)
      expect(await references.resolveMany([wrong])).toEqual([undefined])
    }
    for (const wrong of [undefined, null, id, { length: 1 }]) {
      expect(await codeOf(() => references.resolveMany(wrong as never))).toBe('INVALID_INPUT')
    }
    const [found, missing, again] = await references.resolveMany([id, twin, id])
    expect([found?.json(), missing, again?.json()]).toEqual([{ a: 1 }, undefined, { a: 1 }])
  })

  it('longer and shorter times to live than the usual ones are kept as asked', async () => {
    const { references } = await open()
    const expiry = async (ttlMs: number) => (await references.put('thing', `for ${ttlMs}`, { ttlMs })).expiresAt
    expect(await expiry(1)).toBe(noon + 1)
    expect(await expiry(2 ** 53 - 1)).toBe(2 ** 53 - 1)
    expect((await references.put('thing', 'for the default')).expiresAt).toBe(noon + 30 * 86_400_000)
  })

  it('when several reasons fit: closed, ill-formed, another tenant, the spec, not found', async () => {
    const store = await openFresh(engine)
    const runtime = await runtimeFor(store)
    const codes = async () => [
      await codeOf(() => runtime.query(5 as never).result()),
      await codeOf(() => runtime.query({ prompt: 5, tenant: 'globex' } as never).result()),
      await codeOf(() => runtime.query({ prompt: 'x', tenant: 'globex' }).result()),
      await codeOf(() => runtime.query({ prompt: 'x', tenant: 'acme' }).result()),
      await codeOf(() => runtime.references.put('Bad', 1)),
      await codeOf(() => runtime.references.resolve('bad')),
    ]
    expect(await codes()).toEqual([
      'INVALID_INPUT',
      'INVALID_INPUT',
      'TENANT_MISMATCH',
      'SPEC_INVALID',
      'INVALID_INPUT',
      'NOT_FOUND',
    ])
    await runtime.close()
    expect(await codes()).toEqual(Array.from({ length: 6 }, () => 'CLOSED'))
    expect((await failureOf(() => runtime.references.delete('bad'))).code).toBe('CLOSED')
  })
})
