import { describe, expect, it } from 'vitest'
import { createRuntime, type Model, type Page, type Runtime } from '../../../ts/index.ts'
import { sayingModel, says, usage } from '../../loop/models.ts'
import { send, specOf } from '../../loop/specs.ts'
import { type EngineName, engines, openFresh } from '../../support/stores.ts'

const RUNS = 60
const KIB = 1 << 10

type List = (runtime: Runtime, page: { limit: number; cursor?: string }) => Promise<Page<unknown>>

/** What is listed by pages, whose items are of very different sizes. */
const lists: { readonly [verb: string]: List } = {
  'traces.list': ({ traces }, page) => traces.list(page),
  'runs.list': ({ runs }, page) => runs.list(page),
  'runs.list of a status': ({ runs }, page) => runs.list({ ...page, status: 'completed' }),
  'threads.list': ({ threads }, page) => threads.list(page),
  'references.list': ({ references }, page) => references.list(page),
}

async function itemsOf(list: List, runtime: Runtime): Promise<unknown[]> {
  const items: unknown[] = []
  let cursor: string | undefined
  do {
    const page = await list(runtime, { limit: 1000, ...(cursor === undefined ? {} : { cursor }) })
    items.push(...page.items)
    cursor = page.cursor
  } while (cursor !== undefined)
  return items
}

/** Opens one tenant again and again, with as much room as is said. */
async function tenant(engine: EngineName) {
  const store = await openFresh(engine)
  const echo = sayingModel(({ messages }) => says(JSON.stringify(messages[0]?.parts)))
  return (inFlightBytes?: number, model: Model = echo) => {
    const limits = inFlightBytes === undefined ? {} : { inFlightBytes }
    const tools = { send: () => 'sent' }
    return createRuntime(specOf('acme', [send], limits), { store, models: { test: model }, tools })
  }
}

describe.each(engines)('a tenant with little room on %s', (engine) => {
  it('page by page a small limit gives exactly the same items as a large one', async () => {
    const open = await tenant(engine)
    const roomy = await open()
    for (let index = 0; index < RUNS; index += 1) {
      await roomy.query('x'.repeat((index % 7) * 700 + 1)).result()
      await roomy.references.put('note', 'y'.repeat((index % 5) * 900 + index))
    }
    for (const [verb, list] of Object.entries(lists)) {
      const all = await itemsOf(list, roomy)
      expect(all.length).toBeGreaterThanOrEqual(RUNS)
      for (const room of [40, 64, 100, 200, 400]) {
        expect([verb, room, await itemsOf(list, await open(room * KIB))]).toEqual([verb, room, all])
      }
    }
  })

  it('a follower that waits holds no more, however often it looks', async () => {
    const open = await tenant(engine)
    const asks = [
      { type: 'tool.call', callId: 'one', tool: 'send', input: JSON.stringify({ text: 'z'.repeat(60_000) }) },
      { type: 'finish', reason: 'tool-calls', usage },
    ] as const
    const [runtime, other] = [
      await open(
        400 * KIB,
        sayingModel(() => asks),
      ),
      await open(),
    ]
    const { runId, status } = await runtime.query('Send it.').result()
    expect(status).toBe('suspended')
    const controller = new AbortController()
    const seen: string[] = []
    const following = (async () => {
      for await (const { type } of runtime.runs.follow(runId, { signal: controller.signal })) seen.push(type)
    })()
    // Each of these makes the follower look again.
    for (let index = 0; index < 40; index += 1) await other.query('x').result()
    controller.abort()
    await following
    expect(seen).toContain('run.suspended')
  })
})
