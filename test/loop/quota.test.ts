import { describe, expect, it } from 'vitest'
import {
  createRuntime,
  defineRuntime,
  defineSpecialist,
  defineTool,
  type ModelRequest,
  type RunEvent,
} from '../../ts/index.ts'
import { codeOf, failureOf } from '../support/failures.ts'
import { engines, openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { calls, sayingModel, says } from './models.ts'

/** A result that is kept as a reference of its own. */
const large = (n: number) => ({ n, text: 'x'.repeat(8 << 10) })

describe.each(engines)('a run that meets a quota on %s', (engine) => {
  it.each(['read', 'write'] as const)(
    'rejects with it, is interrupted, and continues when there is space: %s',
    async (effects) => {
      const store = await openFresh(engine)
      const make = defineTool({
        name: 'make',
        description: 'Makes',
        effects,
        onInterrupted: 'retry',
        input: { type: 'object', properties: { n: { type: 'number' } } },
      })
      const agent = defineSpecialist({ name: 'maker', model: 'test/m', prompt: 'Make.', tools: [make] })
      const spec = defineRuntime({ tenant: acme, agents: [agent], limits: { items: { references: 2 } } })
      const steps = ({ messages }: ModelRequest) => messages.filter(({ role }) => role === 'assistant').length
      const model = sayingModel((request) =>
        steps(request) < 3 ? calls(['make', { n: steps(request) }]) : says('Made.'),
      )
      const made = new Map<string, number>()
      const runtime = await createRuntime(spec, {
        store,
        models: { test: model },
        tools: {
          make: (input, { idempotencyKey }) => {
            made.set(idempotencyKey, (made.get(idempotencyKey) ?? 0) + 1)
            return large((input as { n: number }).n)
          },
        },
      })
      const run = runtime.query('Go')
      const failure = await failureOf(() => run.result())
      expect(failure).toMatchObject({ code: 'QUOTA_EXCEEDED', quota: 'items.references', limit: 2 })
      expect(await runtime.runs.get(run.runId)).toMatchObject({ status: 'interrupted' })
      expect(await codeOf(() => runtime.query({ prompt: 'Go', threadId: run.threadId as string }).result())).toBe(
        'THREAD_BUSY',
      )
      // Without space it stays so.
      expect(await codeOf(() => runtime.runs.resume(run.runId).result())).toBe('QUOTA_EXCEEDED')
      const [kept] = (await runtime.references.list()).items
      await runtime.references.delete(kept?.id as string)
      expect(await runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'completed', text: 'Made.' })
      // What was finished was not done again; what was not, with the same key.
      expect([...made.values()]).toEqual([1, 1, 3])
      const events: RunEvent[] = []
      for await (const event of runtime.runs.follow(run.runId)) events.push(event)
      expect(events.filter(({ type }) => type === 'tool.completed')).toHaveLength(3)
      const sequences = events.flatMap((event) => ('sequence' in event ? event.sequence : []))
      expect(sequences).toEqual(sequences.map((_, at) => at))
    },
  )

  it('can be cancelled instead, which ends it for followers and frees its thread', async () => {
    const store = await openFresh(engine)
    const make = defineTool({ name: 'make', description: 'Makes', effects: 'read', input: { type: 'object' } })
    const agent = defineSpecialist({ name: 'maker', model: 'test/m', prompt: 'Make.', tools: [make] })
    const spec = defineRuntime({ tenant: acme, agents: [agent], limits: { items: { references: 1 } } })
    const model = sayingModel(({ messages }) => (messages.length === 1 ? calls(['make', {}]) : says('Done.')))
    const runtime = await createRuntime(spec, { store, models: { test: model }, tools: { make: () => large(1) } })
    await runtime.references.put('note', 'The only one.')
    const run = runtime.query({ prompt: 'Go', threadId: 't' })
    expect(await codeOf(() => run.result())).toBe('QUOTA_EXCEEDED')
    const kinds: string[] = []
    const following = (async () => {
      for await (const { type } of runtime.runs.follow(run.runId)) kinds.push(type)
    })()
    await runtime.runs.cancel(run.runId)
    await following
    expect(kinds.at(-1)).toBe('run.cancelled')
    expect(await runtime.runs.get(run.runId)).toMatchObject({ status: 'cancelled' })
    expect(await runtime.query({ prompt: 'Again', threadId: 't' }).result()).toMatchObject({ status: 'completed' })
  })
})
