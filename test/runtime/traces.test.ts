import { describe, expect, it } from 'vitest'
import { createRuntime, defineRuntime, type TraceEvent } from '../../ts/index.ts'
import { codeOf } from '../support/failures.ts'
import { engines, noon, openFresh, runtimeFor } from '../support/stores.ts'
import { acme } from '../unit/support.ts'

describe.each(engines)('traces on %s', (engine) => {
  it('the values that a host puts leave a trace, newest first, in pages', async () => {
    const store = await openFresh(engine, {}, { now: noon })
    const { references, traces } = await runtimeFor(store)
    const first = await references.put('thing', 1)
    await store.advance(3)
    const [second, third] = await references.putMany([
      { type: 'thing', value: 2 },
      { type: 'thing', value: 3 },
    ])
    const page = await traces.list({ limit: 2 })
    expect(page.items).toEqual([
      { type: 'reference.created', at: noon + 3, reference: third?.id, sequence: 2 },
      { type: 'reference.created', at: noon + 3, reference: second?.id, sequence: 1 },
    ])
    await references.put('thing', 4)
    const rest = await traces.list({ cursor: page.cursor as string })
    expect(rest).toEqual({ items: [{ type: 'reference.created', at: noon, reference: first.id, sequence: 0 }] })
    expect(await traces.list({ runId: 'run_1' })).toEqual({ items: [] })
  })

  it('the plans that a host saves leave a trace', async () => {
    const store = await openFresh(engine, {}, { now: noon })
    const { plans, traces } = await runtimeFor(store)
    const { planId, version, hash } = await plans.save({ type: 'report', goal: 'one page', steps: [] })
    const { items } = await traces.list()
    expect(items).toEqual([{ type: 'plan.saved', at: noon, planId, version, hash, sequence: 0 }])
  })

  it('a refused request leaves one trace a second, without the other name', async () => {
    const store = await openFresh(engine, {}, { now: noon })
    const runtime = await runtimeFor(store)
    const refuse = () => codeOf(() => runtime.query({ prompt: 'x', tenant: 'globex' }).result())
    const rejected = { type: 'request.rejected', reason: 'tenant' }
    expect([await refuse(), await refuse()]).toEqual(['TENANT_MISMATCH', 'TENANT_MISMATCH'])
    // Queued after the refusal: the list is asked for behind it.
    const listed = async (count: number): Promise<readonly TraceEvent[]> => {
      const { items } = await runtime.traces.list()
      return items.length < count ? await listed(count) : items
    }
    expect(await listed(1)).toEqual([{ ...rejected, at: noon, sequence: 0 }])
    await store.advance(1000)
    await refuse()
    expect(await listed(2)).toEqual([
      { ...rejected, at: noon + 1000, sequence: 1 },
      { ...rejected, at: noon, sequence: 0 },
    ])
  })

  it("a tenant's traces are its own, in every version, and no other tenant's", async () => {
    const store = await openFresh(engine)
    const [mine, other] = [await runtimeFor(store, 'acme'), await runtimeFor(store, 'globex')]
    const foreign: string[] = []
    for (let value = 0; value < 3; value += 1) foreign.push((await other.references.put('secret', value)).id)
    expect(await mine.traces.list()).toEqual({ items: [] })
    const { cursor } = await other.traces.list({ limit: 1 })
    const { id } = await mine.references.put('own', 1)
    expect(await codeOf(() => mine.traces.list({ cursor: cursor as string }))).toBe('INVALID_INPUT')
    expect(await codeOf(() => mine.traces.list({ cursor: 'x' }))).toBe('INVALID_INPUT')
    for (const runtime of [mine, await runtimeFor(store, 'acme', 'v2')]) {
      expect((await runtime.traces.list()).items).toMatchObject([{ reference: id, sequence: 0 }])
    }
    expect((await other.traces.list()).items.map((event) => 'reference' in event && event.reference)).toEqual(
      foreign.reverse(),
    )
    expect((await mine.usage()).storage.traces).toEqual({ items: 0, bytes: 0 })
  })

  it('closing a runtime keeps its traces', async () => {
    const store = await openFresh(engine, {}, { now: noon })
    const runtime = await runtimeFor(store)
    await runtime.references.put('thing', 1)
    await runtime.close()
    expect((await (await runtimeFor(store)).traces.list()).items).toHaveLength(1)
  })

  it('a follower gets every event once and in order, from every handle of the tenant', async () => {
    const store = await openFresh(engine)
    const [one, two, other] = [
      await runtimeFor(store, 'acme'),
      await runtimeFor(store, 'acme', 'v2'),
      await runtimeFor(store, 'globex'),
    ]
    const ending = new AbortController()
    const seen: TraceEvent[] = []
    let last = Number.POSITIVE_INFINITY
    let begun = () => {}
    const first = new Promise<void>((resolve) => {
      begun = resolve
    })
    const following = (async () => {
      for await (const event of one.traces.follow({ signal: ending.signal })) {
        seen.push(event)
        begun()
        if (event.sequence >= last) ending.abort()
      }
    })()
    // It follows from some moment on: there is something to see until it does.
    let value = 0
    const waiting = { over: false }
    first.then(() => {
      waiting.over = true
    })
    while (!waiting.over) {
      value += 1
      await two.references.put('thing', value)
    }
    await Promise.all(
      Array.from({ length: 300 }, (_, index) => [one, two, other][index % 3]?.references.put('many', index)),
    )
    last = (await one.traces.list({ limit: 1 })).items[0]?.sequence as number
    if ((seen.at(-1)?.sequence as number) >= last) ending.abort()
    await following
    const sequences = seen.map((event) => event.sequence)
    expect(sequences).toEqual(sequences.map((_, index) => (sequences[0] as number) + index))
    expect(seen.length).toBeGreaterThan(200)
    const all = (await one.traces.list({ limit: 1000 })).items.reverse()
    expect(seen).toEqual(all.slice(sequences[0]))
  })

  it('following ends with the signal, with the handle and with the store', async () => {
    const store = await openFresh(engine)
    const runtime = await runtimeFor(store)
    const ended = { value: undefined, done: true }
    const aborted = runtime.traces.follow({ signal: AbortSignal.abort() })[Symbol.asyncIterator]()
    expect(await aborted.next()).toEqual(ended)
    const ending = new AbortController()
    const waiting = runtime.traces.follow({ signal: ending.signal })[Symbol.asyncIterator]().next()
    ending.abort()
    expect(await waiting).toEqual(ended)
    const untilClosed = runtime.traces.follow()[Symbol.asyncIterator]().next()
    await runtime.close()
    expect(await untilClosed).toEqual(ended)
    const untilStore = (await runtimeFor(store)).traces.follow()[Symbol.asyncIterator]().next()
    await store.close()
    expect(await untilStore).toEqual(ended)
    await expect(runtime.traces.list()).rejects.toMatchObject({ code: 'CLOSED' })
    expect(() => runtime.traces.follow()).toThrow(/closed/)
  })

  it('traces are absent after their retention', async () => {
    const store = await openFresh(engine, {}, { now: noon })
    const spec = defineRuntime({ tenant: acme, retention: { traces: { ttlMs: 100 } } })
    const { references, traces } = await createRuntime(spec, { store })
    await references.put('thing', 1)
    expect((await traces.list()).items).toHaveLength(1)
    await store.advance(100)
    expect((await traces.list()).items).toEqual([])
    await references.put('thing', 2)
    expect((await traces.list()).items.map((event) => event.sequence)).toEqual([1])
  })

  it('bad options are refused', async () => {
    const { traces } = await runtimeFor(await openFresh(engine))
    for (const limit of [0, 1001, 1.5, Number.NaN, '1'] as number[]) {
      expect(await codeOf(() => traces.list({ limit }))).toBe('INVALID_INPUT')
    }
    for (const text of ['', '\ud800', 7] as string[]) {
      expect(await codeOf(() => traces.list({ runId: text }))).toBe('INVALID_INPUT')
      expect(await codeOf(() => traces.list({ cursor: text }))).toBe('INVALID_INPUT')
    }
    expect(() => traces.follow({ signal: {} as AbortSignal })).toThrow(/AbortSignal/)
  })
})
