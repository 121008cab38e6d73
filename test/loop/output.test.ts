import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import {
  createRuntime,
  defineCoordinator,
  defineRuntime,
  defineSpecialist,
  type Model,
  parseRuntimeSpec,
  type RuntimeSpec,
} from '../../ts/index.ts'
import { engines, openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { calls, sayingModel, says, script } from './models.ts'

const even = z.object({
  count: z.number().refine((count) => count % 2 === 0, 'must be even'),
  unit: z.string().default('films'),
})
const counter = defineSpecialist({ name: 'counter', model: 'test/m', prompt: 'Count.', output: even })
const spec = defineRuntime({ tenant: acme, agents: [counter] })

describe.each(engines)('the output of an agent on %s', (engine) => {
  async function runtimeOf<const S extends RuntimeSpec>(given: S, model: Model) {
    return await createRuntime(given, { store: await openFresh(engine), models: { test: model } })
  }

  it('an answer that its own schema refuses goes back to the model, and its defaults apply', async () => {
    const model = script(says('{"count":3}'), says('{"count":4}'))
    const runtime = await runtimeOf(spec, model)
    const run = runtime.runSpecialist('counter', 'How many?')
    const result = await run.result()
    expect(result).toMatchObject({ status: 'completed', text: '{"count":4}', output: { count: 4, unit: 'films' } })
    expect(model.requests[1]?.messages.at(-1)?.parts).toMatchObject([
      { text: expect.stringContaining('at "/count": must be even') },
    ])
    // Its result is the same from the journal.
    expect(await runtime.runs.resume(run.runId).result()).toEqual(result)
  })

  it('an answer that its own schema never takes is OUTPUT_INVALID', async () => {
    const runtime = await runtimeOf(
      spec,
      sayingModel(() => says('{"count":1}')),
    )
    expect(await runtime.query('How many?').result()).toMatchObject({
      status: 'failed',
      error: { code: 'OUTPUT_INVALID', message: expect.stringContaining('must be even') },
    })
  })

  it('the routing agent gets the transformed output', async () => {
    const upper = z.object({ name: z.string() }).transform(({ name }) => name.toUpperCase())
    const namer = defineSpecialist({ name: 'namer', model: 'test/namer', prompt: 'Name.', output: upper })
    const front = defineCoordinator({ name: 'front', model: 'test/front', prompt: 'Route.', routes: ['namer'] })
    const routed = script(calls(['namer', { task: 'Name it' }]), says('Named.'))
    const runtime = await runtimeOf(defineRuntime({ tenant: acme, agents: [front, namer] }), {
      stream: (request) => (request.modelId === 'front' ? routed : script(says('{"name":"ann"}'))).stream(request),
    })
    expect(await runtime.query('Go').result()).toMatchObject({ status: 'completed' })
    expect(routed.requests[1]?.messages.at(-1)?.parts).toMatchObject([{ type: 'tool-result', result: 'ANN' }])
  })

  it('a schema that throws or transforms to no JSON fails the run', async () => {
    const transforms = [
      () => {
        throw new Error('broken')
      },
      () => 1n,
    ]
    for (const transform of transforms) {
      const output = z.object({}).transform(transform)
      const agent = defineSpecialist({ name: 'counter', model: 'test/m', prompt: 'Count.', output })
      const runtime = await runtimeOf(defineRuntime({ tenant: acme, agents: [agent] }), script(says('{}')))
      expect(await runtime.query('Go').result()).toMatchObject({ status: 'failed', error: { code: 'CALLBACK_FAILED' } })
    }
  })

  it('of a spec that was read back, the JSON Schema alone counts', async () => {
    const runtime = await runtimeOf(
      parseRuntimeSpec(JSON.stringify(spec)),
      script(says('{"count":"3"}'), says('{"count":3}')),
    )
    expect(await runtime.query('Go').result()).toMatchObject({ status: 'completed', output: { count: 3 } })
  })
})
