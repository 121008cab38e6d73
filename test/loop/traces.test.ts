import { describe, expect, it } from 'vitest'
import {
  createRuntime,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type TraceEvent,
} from '../../ts/index.ts'
import { codeOf } from '../support/failures.ts'
import { engines, openFresh, runtimeFor } from '../support/stores.ts'
import { calls, sayingModel, says } from './models.ts'

const tool = defineTool({ name: 'look', description: 'x', effects: 'read', input: { type: 'object' } })
const agents = [defineSpecialist({ name: 'one', model: 'test/m', prompt: 'x', tools: [tool] })]

/** A runtime whose runs call a tool once. */
async function runtimeOn(store: Awaited<ReturnType<typeof openFresh>>, resourceId: string) {
  const model = sayingModel(({ messages }) => (messages.at(-1)?.role === 'tool' ? says('Done.') : calls(['look', {}])))
  const spec = defineRuntime({ tenant: defineTenant(resourceId, 'v1'), agents })
  return await createRuntime(spec, { store, models: { test: model }, tools: { look: () => 1 } })
}

describe.each(engines)('traces of runs on %s', (engine) => {
  it('a list of all events is newest first, in pages of any size, with runs between other events', async () => {
    const store = await openFresh(engine)
    const runtime = await runtimeOn(store, 'acme')
    const expected: unknown[] = []
    const put = async () => {
      const { id } = await runtime.references.put('note', expected.length)
      expected.unshift({ type: 'reference.created', reference: id })
    }
    for (let round = 0; round < 3; round += 1) {
      await put()
      const run = runtime.query('Go')
      await run.result()
      const { items } = await runtime.traces.list({ runId: run.runId })
      expect(items.length).toBeGreaterThan(5)
      expected.unshift(...items)
      // What comes in the same millisecond has no order.
      while (Date.now() <= (items[0]?.at ?? 0)) await new Promise(setImmediate)
      await put()
    }
    for (const limit of [1, 3, 7, 1000]) {
      const listed: TraceEvent[] = []
      let cursor: string | undefined
      do {
        const page = await runtime.traces.list({ limit, ...(cursor === undefined ? {} : { cursor }) })
        expect(page.items.length).toBeLessThanOrEqual(limit)
        listed.push(...page.items)
        cursor = page.cursor
      } while (cursor !== undefined)
      expect(listed).toMatchObject(expected)
      expect(listed.length).toBe(expected.length)
      expect(listed.map(({ at }) => at)).toEqual(listed.map(({ at }) => at).sort((one, other) => other - one))
    }
    const other = await runtimeFor(store, 'globex')
    expect(await other.traces.list()).toEqual({ items: [] })
    const { cursor } = await runtime.traces.list({ limit: 2 })
    await other.references.put('note', 1)
    expect(await codeOf(() => other.traces.list({ cursor: cursor as string }))).toBe('INVALID_INPUT')
  })

  it('a follower sees the events of runs as they are committed, of its own tenant only', async () => {
    const store = await openFresh(engine)
    const [mine, other] = [await runtimeOn(store, 'acme'), await runtimeOn(store, 'globex')]
    const stop = new AbortController()
    const seen: TraceEvent[] = []
    const events = mine.traces.follow({ signal: stop.signal })[Symbol.asyncIterator]()
    const first = events.next()
    // It follows from when the first one is asked for: that call was handed over before the runs are.
    await other.query('Go').result()
    const run = mine.query('Go')
    for (let next = await first; next.done !== true; next = await events.next()) {
      seen.push(next.value)
      if (next.value.type === 'run.completed') break
    }
    stop.abort()
    await run.result()
    const { items } = await mine.traces.list({ runId: run.runId })
    expect(seen).toEqual(items.reverse())
  })
})
