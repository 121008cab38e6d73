import { expect, it } from 'vitest'
import {
  createRuntime,
  defineRuntime,
  defineSpecialist,
  defineTool,
  type ModelRequest,
  type NewMessage,
  type Store,
} from '../../ts/index.ts'
import { openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { calls, eventsOf, sayingModel, says } from './models.ts'

const maxTokens = 2_000
const isSummary = ({ system }: ModelRequest) => system.startsWith('You compress')
const text = (request: ModelRequest | undefined) => JSON.stringify(request?.messages)
const spec = (model: string | readonly string[]) =>
  defineRuntime({
    tenant: acme,
    agents: [defineSpecialist({ name: 'clerk', model, prompt: 'Help.', tools: [] })],
    context: { maxTokens, compact: 'summary' },
  })
const said = (count: number): NewMessage[] =>
  Array.from({ length: count }, (_, at) => ({
    role: at % 2 === 0 ? 'user' : 'assistant',
    parts: [{ type: 'text', text: `said ${at}, ${'word '.repeat(40)}` }],
  }))

async function clerk(store: Store, summarise: (request: ModelRequest) => string, models: string | string[] = 'test/m') {
  const model = sayingModel((request) => (isSummary(request) ? says(summarise(request)) : says('Yes.')))
  return { model, runtime: await createRuntime(spec(models), { store, models: { test: model } }) }
}

it('what is folded is summarised by the model, and a summary is part of the next one', async () => {
  const store = await openFresh('sled')
  let count = 0
  const { model, runtime } = await clerk(store, () => `summary number ${++count}: the code is 4711`)
  await runtime.threads.append('long', said(60))
  const run = runtime.query({ prompt: 'Go on', threadId: 'long' })
  const result = await run.result()
  const [asked] = model.requests
  expect(asked).toMatchObject({ tools: [], messages: [{ role: 'user' }] })
  expect(text(asked)).toContain('user: said 40')
  const folded = (await eventsOf(run)).find((event) => event.type === 'context.folded')
  expect(folded).toMatchObject({
    summary: expect.stringContaining('A summary of them:\nsummary number 1: the code is 4711]'),
    usage: { 'test/m': { inputTokens: 10, outputTokens: 5 } },
  })
  // The summary counts for the run, which has one answer besides.
  expect(result.usage['test/m']).toMatchObject({ inputTokens: 20, outputTokens: 10 })
  expect(model.requests[1]).toMatchObject({ system: 'Help.', tools: [{ name: 'recall' }] })
  expect(text(model.requests[1])).toContain('summary number 1')

  // The next run begins from it, also in another process, and folds it into the next summary.
  await runtime.close()
  const next = await clerk(store, () => 'summary of summaries')
  await next.runtime.query({ prompt: 'And now', threadId: 'long' }).result()
  expect(next.model.requests.map(isSummary)).toEqual([false])
  expect(text(next.model.requests[0])).toContain('summary number 1')
  await next.runtime.threads.append('long', said(60))
  await next.runtime.query({ prompt: 'And then', threadId: 'long' }).result()
  const again = next.model.requests.find(isSummary)
  expect(text(again)).toContain('summary number 1: the code is 4711')
  expect(text(next.model.requests.at(-1))).toContain('summary of summaries')
  expect(next.model.requests.every((request) => text(request).length < 4 * maxTokens)).toBe(true)
})

it('a summary that is too long is cut with a mark, and one that fails leaves the outline', async () => {
  for (const [summary, shown] of [
    ['long '.repeat(2_000), ' …]'],
    ['', 'Their first lines'],
  ] as const) {
    const { model, runtime } = await clerk(await openFresh('memory'), () => summary)
    await runtime.threads.append('long', said(60))
    expect(await runtime.query({ prompt: 'Go on', threadId: 'long' }).result()).toMatchObject({ status: 'completed' })
    expect(text(model.requests.at(-1))).toContain(shown)
    expect(text(model.requests.at(-1)).length).toBeLessThan(4 * maxTokens)
  }
})

it('the next model is asked for a summary if one fails', async () => {
  const { model, runtime } = await clerk(
    await openFresh('memory'),
    ({ modelId }) => {
      if (modelId === 'm') throw Object.assign(new Error('down'), { retryable: false })
      return 'by the other'
    },
    ['test/m', 'test/n'],
  )
  await runtime.threads.append('long', said(60))
  expect(await runtime.query({ prompt: 'Go on', threadId: 'long' }).result()).toMatchObject({ status: 'completed' })
  expect(text(model.requests.at(-1))).toContain('by the other')
})

const look = defineTool({ name: 'look', description: 'Looks', effects: 'read', input: { type: 'object' } })
const reader = defineRuntime({
  tenant: acme,
  agents: [defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.', tools: [look] })],
  context: { maxTokens, compact: 'summary' },
})
const toolsFor = (bytes: number) => ({ look: () => 'word '.repeat(bytes / 5) })

it('what summaries have said is not lost, however far a run folds and whichever summary fails', async () => {
  for (let seed = 1; seed <= 12; seed += 1) {
    let state = seed
    const chance = () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
      return state / 0x7fffffff
    }
    const store = await openFresh('memory')
    let turns = 0
    let summaries = 0
    const lost: string[] = []
    const model = sayingModel((request) => {
      const knows = text(request).includes('4711')
      if (isSummary(request)) {
        if (summaries++ > 0 && chance() < 0.4) throw Object.assign(new Error('down'), { retryable: false })
        return says(knows ? 'The code is 4711.' : 'Nothing is known.')
      }
      if (!knows) lost.push(`seed ${seed}, request ${model.requests.length}`)
      return turns-- > 0 ? calls(['look', { turns }]) : says('Yes.')
    })
    const first = await createRuntime(reader, { store, models: { test: model }, tools: toolsFor(400) })
    // Not among the first: a summary is made of the newest messages that have room.
    const code = { role: 'user', parts: [{ type: 'text', text: 'The code is 4711.' }] } as const
    await first.threads.append('long', said(60).with(40, code))
    await first.close()
    for (let number = 0; number < 5; number += 1) {
      turns = Math.floor(chance() * 40)
      const runtime = await createRuntime(reader, { store, models: { test: model }, tools: toolsFor(400) })
      const result = await runtime.query({ prompt: `Go on ${number}`, threadId: 'long' }).result()
      expect(result).toMatchObject({ status: 'completed' })
      await runtime.close()
    }
    expect(summaries).toBeGreaterThan(1)
    expect(lost).toEqual([])
  }
})

it('a message that is only shortened asks for no other summary, and a summary is shown to no follower', async () => {
  const model = sayingModel((request) => {
    if (isSummary(request)) return says('Secret summary.')
    const turn = request.messages.filter(({ role }) => role === 'tool').length
    return turn < 1 ? [{ type: 'text.delta', id: 'l', delta: 'Looking. ' }, ...calls(['look', {}])] : says('Yes.')
  })
  const store = await openFresh('memory')
  const runtime = await createRuntime(reader, { store, models: { test: model }, tools: toolsFor(40_000) })
  await runtime.threads.append('long', said(60))
  const events = await eventsOf(runtime.query({ prompt: 'Go on', threadId: 'long' }))
  const shown = events.flatMap((event) => (event.type === 'text.delta' ? [event.delta] : [])).join('')
  expect(shown).toBe('Looking. Yes.')
  const folds = events.filter(({ type }) => type === 'context.folded')
  expect(model.requests.filter(isSummary).length).toBeLessThanOrEqual(folds.length)
})
