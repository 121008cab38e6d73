import { describe, expect, it } from 'vitest'
import { createRuntime, defineReference, defineRuntime, type Reference } from '../../ts/index.ts'
import { codeOf, failureOf } from '../support/failures.ts'
import { engines, noon, openFresh, runtimeFor } from '../support/stores.ts'
import { acme } from '../unit/support.ts'

describe.each(engines)('the life of references on %s', (engine) => {
  it('a reference is absent after its expiry, and not before', async () => {
    const store = await openFresh(engine, {}, { now: noon })
    const { references } = await runtimeFor(store)
    const { id, expiresAt } = await references.put('thing', { a: 1 }, { ttlMs: 1000 })
    expect(expiresAt).toBe(noon + 1000)
    await store.advance(999)
    expect((await references.resolve(id)).json()).toEqual({ a: 1 })
    await store.advance(1)
    expect(await codeOf(() => references.resolve(id))).toBe('NOT_FOUND')
    expect(await codeOf(() => references.describe(id))).toBe('NOT_FOUND')
    expect(await references.resolveMany([id])).toEqual([undefined])
    expect((await references.list()).items).toEqual([])
    expect(await references.delete(id)).toBe(false)
    const again = await references.put('thing', { a: 1 }, { ttlMs: 10 })
    expect([again.id, again.createdAt]).toEqual([id, noon + 1000])
  })

  it('putting equal content again keeps the later expiry, also in the list', async () => {
    const store = await openFresh(engine, {}, { now: noon })
    const { references } = await runtimeFor(store)
    for (const value of ['small', 'x'.repeat(10_000)]) {
      const first = await references.put('thing', value, { ttlMs: 1000 })
      const longer = await references.put('thing', value, { ttlMs: 5000 })
      const shorter = await references.put('thing', value, { ttlMs: 10 })
      expect([longer.id, longer.expiresAt, shorter.expiresAt]).toEqual([first.id, noon + 5000, noon + 5000])
      expect(await references.describe(first.id)).toEqual(longer)
    }
    await store.advance(4999)
    expect((await references.list()).items).toHaveLength(2)
    for (const { id } of (await references.list()).items) await references.resolve(id)
    await store.advance(1)
    expect((await references.list()).items).toEqual([])
  })

  it("the call's ttlMs wins over the type's, and the type's over the retention", async () => {
    const store = await openFresh(engine, {}, { now: noon })
    const short = defineReference({ name: 'short', ttlMs: 50, mediaType: 'text/csv' })
    const spec = defineRuntime({
      tenant: acme,
      references: [short],
      retention: { references: { ttlMs: 70 }, cache: { ttlMs: 90 } },
    })
    const { references, cache } = await createRuntime(spec, { store })
    const mine = await references.put('short', 'a,b', { ttlMs: 10 })
    expect([mine.expiresAt, mine.mediaType]).toEqual([noon + 10, 'text/csv'])
    expect((await references.put('short', 'c,d')).expiresAt).toBe(noon + 50)
    expect((await references.put('other', 'e,f')).expiresAt).toBe(noon + 70)
    await cache.set('key', 1)
    await store.advance(89)
    expect(await cache.get('key')).toBe(1)
    await store.advance(1)
    expect(await cache.get('key')).toBeUndefined()
    const forever = defineRuntime({ tenant: acme, retention: { references: { ttlMs: null } } })
    const kept = await (await createRuntime(forever, { store })).references.put('other', 'kept')
    expect(kept.expiresAt).toBeNull()
  })

  it('a registered type checks its schema', async () => {
    const store = await openFresh(engine)
    const schema = { type: 'object', required: ['name'], properties: { name: { type: 'string' } } } as const
    const person = defineReference({ name: 'person', schema })
    const { references } = await createRuntime(defineRuntime({ tenant: acme, references: [person] }), { store })
    expect((await references.put('person', { name: 'Ada' })).type).toBe('person')
    expect(await codeOf(() => references.put('person', { name: 5 }))).toBe('INVALID_INPUT')
    expect(await codeOf(() => references.putMany([{ type: 'person', value: {} }]))).toBe('INVALID_INPUT')
  })

  it('deletes once, for small and for large values', async () => {
    const { references, usage } = await runtimeFor(await openFresh(engine)).then((runtime) => ({
      references: runtime.references,
      usage: () => runtime.usage(),
    }))
    for (const size of [1, 100_000]) {
      const { id } = await references.put('thing', 'x'.repeat(size))
      expect((await usage()).storage.references).toEqual({ items: 1, bytes: size })
      expect(await Promise.all([references.delete(id), references.delete(id)]).then((all) => all.sort())).toEqual([
        false,
        true,
      ])
      expect((await usage()).storage.references).toEqual({ items: 0, bytes: 0 })
      expect((await failureOf(() => references.resolve(id))).message).toMatch(/Not found/)
    }
  })

  it('lists newest first, by type, and a walk stays stable while others write and delete', async () => {
    const { references } = await runtimeFor(await openFresh(engine))
    const put: Reference[] = []
    for (let value = 0; value < 30; value += 1)
      put.push(await references.put(value % 3 === 0 ? 'third' : 'thing', { value }))
    const newestFirst = put.toReversed().map(({ id }) => id)
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await references.list({ limit: 7, ...(cursor === undefined ? {} : { cursor }) })
      expect(page.items.length).toBeLessThanOrEqual(7)
      seen.push(...page.items.map(({ id }) => id))
      cursor = page.cursor
      await references.put('thing', { late: seen.length })
      // What was put again keeps its place.
      await references.put('third', { value: 0 })
    } while (cursor !== undefined)
    expect(seen).toEqual(newestFirst)
    const thirds = await references.list({ type: 'third' })
    expect(thirds.items.map(({ id }) => id)).toEqual(
      put
        .filter(({ type }) => type === 'third')
        .toReversed()
        .map(({ id }) => id),
    )
    expect(thirds.cursor).toBeUndefined()
    expect(await references.list({ type: 'never' })).toEqual({ items: [] })
  })

  it('a deleted item moves no other in a walk, and a cursor is bound to its list', async () => {
    const { references } = await runtimeFor(await openFresh(engine))
    for (let value = 0; value < 6; value += 1) await references.put('thing', { value })
    const first = await references.list({ limit: 2 })
    const last = first.items[1]
    if (first.cursor === undefined || last === undefined) throw new Error('There is a second page.')
    await references.delete(last.id)
    const second = await references.list({ limit: 100, cursor: first.cursor })
    expect(second.items.map(({ glimpse }) => glimpse)).toEqual([{ value: 3 }, { value: 2 }, { value: 1 }, { value: 0 }])
    expect(second).not.toHaveProperty('cursor')
    expect(await codeOf(() => references.list({ type: 'thing', cursor: first.cursor as string }))).toBe('INVALID_INPUT')
    expect((await references.list({ limit: 1000 })).items).toHaveLength(5)
  })

  it('many puts of equal content at once make one reference', async () => {
    const runtime = await runtimeFor(await openFresh(engine))
    const all = await Promise.all(Array.from({ length: 64 }, () => runtime.references.put('thing', { same: true })))
    expect(new Set(all.map(({ id }) => id)).size).toBe(1)
    const [one, two, three] = await runtime.references.putMany(
      ['a', 'b', 'a'].map((value) => ({ type: 'thing', value })),
    )
    expect([one?.id === three?.id, one?.id === two?.id]).toEqual([true, false])
    expect((await runtime.usage()).storage.references.items).toBe(3)
  })
})
