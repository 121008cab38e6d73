import { describe, expect, it } from 'vitest'
import { createRuntime, defineRuntime, defineSpecialist, defineTenant, defineTool, withTenant } from '../../ts/index.ts'
import { engines, openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { calls, sayingModel, says } from './models.ts'

describe.each(engines)('many runs on %s', (engine) => {
  it('a thousand runs of a hundred tenants complete, and nothing crosses', async () => {
    const whoami = defineTool({ name: 'whoami', description: 'x', effects: 'read', input: { type: 'object' } })
    const agent = defineSpecialist({ name: 'one', model: 'test/m', prompt: 'x', tools: [whoami] })
    const topology = defineRuntime({ tenant: acme, agents: [agent] })
    const store = await openFresh(engine)
    // Says what its tool has said, so that an answer of another run would show.
    const model = sayingModel(({ messages }) => {
      const part = messages.at(-1)?.parts[0]
      return part?.type === 'tool-result' ? says(JSON.stringify(part.result)) : calls(['whoami', {}])
    })
    const tenants = await Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        createRuntime(withTenant(topology, defineTenant(`tenant-${n}`, 'v1')), {
          store,
          models: { test: model },
          tools: { whoami: (_, { tenant, runId }) => `${tenant.resourceId} ${runId}` },
        }),
      ),
    )
    const runs = tenants.flatMap((runtime) =>
      Array.from({ length: 10 }, (_, n) => [runtime, runtime.query(`${n}`)] as const),
    )
    for (const [runtime, run] of runs) {
      const result = await run.result()
      expect(result.text).toBe(JSON.stringify(`${runtime.tenant.resourceId} ${run.runId}`))
    }
    for (const runtime of tenants) {
      const { items } = await runtime.runs.list({ status: 'completed' })
      expect(items).toHaveLength(10)
      expect((await runtime.usage()).tokens['test/m']).toMatchObject({ inputTokens: 200, outputTokens: 100 })
    }
  })
})
