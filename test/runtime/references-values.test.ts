import { describe, expect, it } from 'vitest'
import type { ReferenceValue, Runtime } from '../../ts/index.ts'
import { codeOf } from '../support/failures.ts'
import { engines, noon, openFresh, runtimeFor } from '../support/stores.ts'

const MIB = 1 << 20

describe.each(engines)('values of references on %s', (engine) => {
  async function open(): Promise<Runtime> {
    return await runtimeFor(await openFresh(engine, {}, { now: noon }))
  }

  async function kept(runtime: Runtime, value: unknown): Promise<string> {
    const { id } = await runtime.references.put('thing', value as ReferenceValue)
    return (await runtime.references.resolve(id)).text()
  }

  it('keeps JSON with the semantics of JSON.stringify, in canonical form', async () => {
    const runtime = await open()
    const values: [unknown, string][] = [
      [{ b: 1, a: [true, null, 'x'] }, '{"a":[true,null,"x"],"b":1}'],
      [{ a: undefined, f: () => 1, s: Symbol('s'), b: 2 }, '{"b":2}'],
      [[undefined, () => 1, Symbol('s')], '[null,null,null]'],
      [
        { at: new Date(0), nested: { at: [new Date(1)] } },
        '{"at":"1970-01-01T00:00:00.000Z","nested":{"at":["1970-01-01T00:00:00.001Z"]}}',
      ],
      [{ toJSON: () => ({ z: 1, toJSON: 'no function' }) }, '{"toJSON":"no function","z":1}'],
      [new Date(5), '"1970-01-01T00:00:00.005Z"'],
      [Number.NaN, 'null'],
      [Number.POSITIVE_INFINITY, 'null'],
      [-0, '0'],
      [1e21, '1e+21'],
      [0.1 + 0.2, '0.30000000000000004'],
      [5e-324, '5e-324'],
      [null, 'null'],
      [false, 'false'],
      [Object.assign(Object.create({ inherited: 1 }), { own: 2 }), '{"own":2}'],
      [new Map([[1, 2]]), '{}'],
      [Object('boxed'), '"boxed"'],
      [
        { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\u{1f600}': 5, '\u0080': 6, '\u00f6': 7 },
        '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\u{1f600}":5,"\ufb33":3}',
      ],
      [{ constructor: 1, toString: 2 }, '{"constructor":1,"toString":2}'],
      [['\u0000\u001f"\\\u007f\u2028'], '["\\u0000\\u001f\\"\\\\\u007f\u2028"]'],
    ]
    for (const [value, text] of values) expect(await kept(runtime, value)).toBe(text)
  })

  it('equal JSON has one id, whatever the order of its members', async () => {
    const { references } = await open()
    const one = await references.put('thing', { a: 1, b: { c: 2, d: 3 } })
    const two = await references.put('thing', { b: { d: 3, c: 2 }, a: 1 })
    expect(two).toEqual(one)
    expect((await references.resolve(one.id)).json()).toEqual({ a: 1, b: { c: 2, d: 3 } })
  })

  it('refuses values that JSON cannot hold or would change', async () => {
    const { references } = await open()
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    const values: unknown[] = [
      1n,
      { deep: [1n] },
      cycle,
      undefined,
      () => 1,
      Symbol('s'),
      '\ud800',
      'a\udc00b',
      { text: '\udfff' },
      { '\ud83d': 1 },
      JSON.parse('{"__proto__": 1}'),
      { nested: [JSON.parse('{"__proto__": {"a": 1}}')] },
      new DataView(new ArrayBuffer(4)),
      new ArrayBuffer(4),
      new SharedArrayBuffer(4),
      new Uint16Array(2),
      new Float64Array(1),
      {
        toJSON() {
          throw new RangeError('of the caller')
        },
      },
      JSON.parse('['.repeat(5000) + ']'.repeat(5000)),
    ]
    for (const value of values) {
      expect(await codeOf(() => references.put('thing', value as ReferenceValue))).toBe('INVALID_INPUT')
      expect(await codeOf(() => references.putMany([{ type: 'thing', value: value as ReferenceValue }]))).toBe(
        'INVALID_INPUT',
      )
    }
    expect((await references.list()).items).toEqual([])
  })

  it('a string is text, bytes are bytes, everything else is JSON, and mediaType wins over that', async () => {
    const { references } = await open()
    const described = async (value: ReferenceValue, mediaType?: string) => {
      const reference = await references.put('thing', value, mediaType === undefined ? {} : { mediaType })
      return [reference.mediaType, reference.byteLength]
    }
    expect(await described('grüße')).toEqual(['text/plain', 7])
    expect(await described('')).toEqual(['text/plain', 0])
    expect(await described(new Uint8Array(3))).toEqual(['application/octet-stream', 3])
    expect(await described(new Uint8Array(0))).toEqual(['application/octet-stream', 0])
    expect(await described({ a: 'ü' })).toEqual(['application/json', 10])
    expect(await described('a,b\n1,2', 'text/csv')).toEqual(['text/csv', 7])
    expect(await described(new Uint8Array(1), 'image/png; q="x"')).toEqual(['image/png; q="x"', 1])
  })

  it('the same bytes under another type or media type are another reference', async () => {
    const { references } = await open()
    const ids = await Promise.all([
      references.put('one', 'x'),
      references.put('two', 'x'),
      references.put('one', 'x', { mediaType: 'text/csv' }),
      references.put('one', new TextEncoder().encode('x')),
      references.put('one', ['x']),
    ])
    expect(new Set(ids.map(({ id }) => id)).size).toBe(5)
    for (const { id } of ids) expect(id).toMatch(/^ref_[a-z2-7]{32}$/)
  })

  it('a resolved value shares memory with nothing', async () => {
    const { references } = await open()
    for (const size of [0, 1, 255, 4096, 4097, 70_000, 300_000]) {
      const input = new Uint8Array(size).fill(7)
      const pending = references.put('thing', input)
      input.fill(9)
      const { id } = await pending
      for (let round = 0; round < 2; round += 1) {
        const { bytes } = await references.resolve(id)
        expect([bytes.byteOffset, bytes.byteLength, bytes.buffer.byteLength]).toEqual([0, size, size])
        expect(bytes.every((byte) => byte === 7)).toBe(true)
        bytes.fill(1)
      }
      const [many] = await references.resolveMany([id])
      expect([many?.bytes.byteOffset, many?.bytes.buffer.byteLength]).toEqual([0, size])
      expect(many?.bytes.every((byte) => byte === 7)).toBe(true)
    }
  })

  it('changing an argument after the call changes nothing', async () => {
    const { references } = await open()
    const value = { list: [1, 2] }
    const items: { type: string; value: ReferenceValue }[] = [{ type: 'thing', value: { a: 1 } }]
    const options = { mediaType: 'text/one' }
    const pending = Promise.all([references.put('thing', value, options), references.putMany(items)])
    value.list.push(3)
    options.mediaType = 'text/two'
    items.push({ type: 'thing', value: 'late' })
    const [one, many] = await pending
    expect(one.mediaType).toBe('text/one')
    expect((await references.resolve(one.id)).json()).toEqual({ list: [1, 2] })
    expect(many).toHaveLength(1)
    const ids = [one.id]
    const found = references.resolveMany(ids)
    ids.push(one.id)
    expect(await found).toHaveLength(1)
  })

  it('bytes in a Buffer, in a part of a buffer and in shared memory are kept as they are', async () => {
    const { references } = await open()
    const shared = new Uint8Array(new SharedArrayBuffer(4), 1, 2).fill(5)
    for (const bytes of [Buffer.from([1, 2, 3]), new Uint8Array([1, 2, 3, 4]).subarray(1, 3), shared]) {
      const { id } = await references.put('thing', bytes)
      expect(Array.from((await references.resolve(id)).bytes)).toEqual(Array.from(bytes))
    }
  })

  it('a glimpse is at most 1 KiB and describes the value', async () => {
    const { references } = await open()
    const long = 'x'.repeat(100_000)
    const rows = Array.from({ length: 50 }, (_, row) => ({ row, name: `name ${row}`, long }))
    const wide = Object.fromEntries(Array.from({ length: 1000 }, (_, column) => [`column${column}`, long.slice(0, 50)]))
    const values: ReferenceValue[] = [
      rows,
      [wide, wide],
      wide,
      long,
      '\u{1f600}'.repeat(5000),
      '"\n'.repeat(3000),
      new Uint8Array(9),
    ]
    for (const value of values) {
      const reference = await references.put('thing', value)
      expect(Buffer.byteLength(JSON.stringify(reference.glimpse))).toBeLessThanOrEqual(1024)
      expect(await references.describe(reference.id)).toEqual(reference)
      expect((await references.resolve(reference.id)).reference).toEqual(reference)
    }
    const small = await references.put('rows', [{ a: 1 }, { a: 2 }])
    expect(JSON.stringify(small.glimpse)).toContain('2')
  })

  it('64 MiB are kept, one byte more is refused before it is copied', async () => {
    const { references, cache } = await open()
    const bytes = new Uint8Array(64 * MIB)
    bytes[64 * MIB - 1] = 3
    const { id, byteLength } = await references.put('large', bytes)
    expect(byteLength).toBe(64 * MIB)
    const resolved = await references.resolve(id)
    expect(resolved.bytes.buffer.byteLength).toBe(64 * MIB)
    expect(Buffer.compare(resolved.bytes, bytes)).toBe(0)
    const more = new Uint8Array(64 * MIB + 1)
    expect(await codeOf(() => references.put('large', more))).toBe('INVALID_INPUT')
    expect(await codeOf(() => references.put('large', 'x'.repeat(64 * MIB + 1)))).toBe('INVALID_INPUT')
    expect(await codeOf(() => references.put('large', ['x'.repeat(64 * MIB)]))).toBe('INVALID_INPUT')
    expect(await codeOf(() => cache.set('large', more))).toBe('INVALID_INPUT')
  })
})
