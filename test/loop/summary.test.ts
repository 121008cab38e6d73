import { expect, it } from 'vitest'
import {
  createRuntime,
  defineRuntime,
  defineSpecialist,
  type ModelRequest,
  type NewMessage,
  type Store,
} from '../../ts/index.ts'
import { openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { eventsOf, sayingModel, says } from './models.ts'

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
