import { performance } from 'node:perf_hooks'
import {
  createRuntime,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  type Model,
  type ModelEvent,
  openStore,
} from 'bailiwick'
import type { Conditions, Finding } from '../finding.ts'
import { median } from '../measure.ts'

const DELTAS = 3_000
const usage = { inputTokens: 1, outputTokens: 1 }
const metadata = { provider: { signature: 's'.repeat(1_500) } }
const bare = { type: 'reasoning.delta', id: 'r', delta: 'hello' } as const
const WITH = 'deltas of 5 B beside 1.5 kB of metadata'
const WITHOUT = 'deltas of 5 B'

/** What a delta of a model costs the JavaScript thread, with metadata that comes with each and never changes, and without. */
export async function modelDeltas(conditions: Conditions): Promise<Finding> {
  const store = await openStore('memory:')
  const kinds: readonly (readonly [string, () => ModelEvent])[] = [
    [WITH, () => ({ ...bare, metadata })],
    [WITHOUT, () => bare],
  ]
  const costs = new Map<string, number[]>(kinds.map(([name]) => [name, []]))
  // One round more, which does not count.
  for (let round = -1; round < conditions.rounds; round += 1) {
    for (const [name, delta] of kinds) {
      const model: Model = {
        async *stream() {
          for (let at = 0; at < DELTAS; at += 1) yield delta()
          yield { type: 'finish', reason: 'stop', usage }
        },
      }
      const agents = [defineSpecialist({ name: 'one', model: 'test/m', prompt: 'Think.' })]
      const spec = defineRuntime({ tenant: defineTenant('acme', 'v1'), agents })
      const runtime = await createRuntime(spec, { store, models: { test: model } })
      const before = performance.eventLoopUtilization()
      const { status } = await runtime.query('go').result()
      const { active } = performance.eventLoopUtilization(before)
      await runtime.close()
      if (status !== 'completed') throw new Error(`The run is ${status}.`)
      if (round >= 0) costs.get(name)?.push((active * 1000) / DELTAS)
    }
  }
  await store.close()
  const figures = [...costs].map(([name, all]) => ({
    contender: name,
    what: 'median µs of the thread a delta',
    value: median(all),
  }))
  return {
    row: 'deltas of a model',
    load: `${DELTAS} deltas an answer`,
    figures,
    ratios: [{ of: `µs of the thread a delta, ${WITH}`, value: median(costs.get(WITH) ?? []), target: { atMost: 3 } }],
  }
}
