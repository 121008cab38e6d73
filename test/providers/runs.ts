import { expect } from 'vitest'
import type { Run } from '../../ts/index.ts'
import type { Answer } from '../models/provider-server.ts'
import type { Cell } from './cell.ts'
import type { Provider } from './packages/provider.ts'
import { cut } from './wires/wire.ts'
import { runtimeAt } from './world.ts'

const searches = (text: string, id: string) => ({ id, name: 'search', input: { text } })

/** Whole runs of a runtime whose model is a provider's. */
export function tryRuns(provider: Provider, cell: Cell): void {
  const { wire } = provider
  const says = (text: string) => wire.answer({ text })
  const refused = (status: number, headers: Answer['headers'] = {}): Answer => ({
    status,
    headers,
    body: JSON.stringify({
      error: { message: 'The reason', type: 'refused', code: status, status: 'REFUSED' },
      message: 'The reason',
    }),
  })

  cell('text and usage', true, async () => {
    const { runtime, server } = await runtimeAt(provider, [says('Hello')])
    const run = runtime.query('Hi')
    expect(await run.result()).toMatchObject({
      status: 'completed',
      text: 'Hello',
      usage: { [`test/${provider.modelId}`]: { inputTokens: 10, outputTokens: 5 } },
    })
    expect(await written(run)).toBe('Hello')
    expect(JSON.stringify(server.asked[0]?.body)).toContain('Be brief.')
    expect(wire.problemsOf(server.asked[0]?.body)).toEqual([])
  })

  cell('tools, side by side, with ids that come again', true, async () => {
    const calls = { text: 'I look.', calls: [searches('shoes', 'call_0'), searches('hats', 'call_1')] }
    const again = { calls: [searches('socks', 'call_0')] }
    const answers = [calls, { text: 'Six.' }, again, { text: 'Three.' }].map(wire.answer)
    const { runtime, server } = await runtimeAt(provider, answers)
    const first = await runtime.query('Any shoes or hats?').result()
    const second = await runtime.query({ threadId: String(first.threadId), prompt: 'Any socks?' }).result()
    expect([first, second]).toMatchObject([
      { status: 'completed', text: 'Six.' },
      { status: 'completed', text: 'Three.' },
    ])
    expect(server.asked.map(({ body }) => wire.problemsOf(body))).toEqual([[], [], [], []])
    const [, two, , four] = server.asked.map(({ body }) => JSON.stringify(body))
    for (const result of ['Three shoes.', 'Three hats.']) expect(two).toContain(result)
    for (const result of ['Three shoes.', 'Three hats.', 'Three socks.']) expect(four).toContain(result)
  })

  cell('reasoning goes back', provider.reasoning, async (reasoning) => {
    const thinks = wire.answer({ reasoning: 'I look.', calls: [searches('shoes', 'call_0')] })
    const { runtime, server } = await runtimeAt(provider, [thinks, says('Three.')])
    expect(await runtime.query('Any shoes?').result()).toMatchObject({ status: 'completed' })
    const sent = JSON.stringify(server.asked[1]?.body)
    for (const part of reasoning) expect(sent).toContain(part)
    expect(wire.problemsOf(server.asked[1]?.body)).toEqual([])
  })

  cell('output by a schema', true, async () => {
    const found = { found: [{ name: 'shoes', count: 3 }] }
    const { runtime, server } = await runtimeAt(provider, [says(JSON.stringify(found))], 'counter')
    const result = await runtime.query('How many shoes?').result()
    expect(result).toMatchObject({ status: 'completed', output: found })
    expect(provider.schemaOf(server.asked[0]?.body)).toMatchObject({
      properties: { found: { type: expect.stringMatching(/array/i) } },
    })
    expect(openObjects(provider.schemaOf(server.asked[0]?.body))).toEqual([])
  })

  cell('asked to wait', true, async () => {
    const { runtime, server } = await runtimeAt(provider, [refused(429, { 'retry-after-ms': '5' }), says('Hello')])
    expect(await runtime.query('Hi').result()).toMatchObject({ status: 'completed', text: 'Hello' })
    expect(server.asked).toHaveLength(2)
  })

  cell('refused', true, async () => {
    const { runtime, server } = await runtimeAt(provider, [refused(400)])
    expect(await runtime.query('Hi').result()).toMatchObject({
      status: 'failed',
      error: { code: 'MODEL_FAILED', retryable: false, message: expect.stringContaining('HTTP 400') },
    })
    expect(server.asked).toHaveLength(1)
  })

  const failures = [
    ['fails within an answer', wire.failing('Hel')],
    ['cut off within an answer', cut(says('Hello'))],
  ] as const
  for (const [feature, answer] of failures) {
    cell(feature, true, async () => {
      const { runtime, server } = await runtimeAt(provider, [answer, says('Hello')])
      expect(await runtime.query('Hi').result()).toMatchObject({
        status: 'completed',
        text: 'Hello',
      })
      expect(server.asked).toHaveLength(2)
    })
  }
}

/** The text of a run's deltas. */
async function written(run: Run<unknown>): Promise<string> {
  let text = ''
  for await (const event of run) if (event.type === 'text.delta') text += event.delta
  return text
}

/** Objects of a schema that are not closed, unless the provider's own form of schemas has no word for it. */
function openObjects(schema: unknown): unknown[] {
  if (typeof schema !== 'object' || schema === null) return []
  const { type, additionalProperties } = schema as { type?: unknown; additionalProperties?: unknown }
  const isOpen = type === 'object' && additionalProperties !== false
  return [...(isOpen ? [schema] : []), ...Object.values(schema).flatMap(openObjects)]
}
