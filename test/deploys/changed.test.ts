import { describe, expect, it } from 'vitest'
import {
  createHost,
  createRuntime,
  defineCoordinator,
  defineQuestion,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type ModelRequest,
  type OnChanged,
  type RuntimeSpec,
  type Store,
} from '../../ts/index.ts'
import { calls, sayingModel, says } from '../loop/models.ts'
import { engines, openFresh } from '../support/stores.ts'

/** What a deploy may change of an agent, and of its tools. */
interface Build {
  readonly model?: string
  readonly prompt?: string
  readonly settings?: { readonly temperature: number }
  readonly maxSteps?: number
  readonly description?: string
}

const input = { type: 'object' } as const
const ask = defineQuestion({ name: 'ask', description: 'Asks', answer: { type: 'string' } })

/** A coordinator that asks a question, and a specialist that it may route to. */
function specOf({
  model = 'old/m',
  prompt = 'Old.',
  settings,
  maxSteps = 9,
  description = 'Looks',
}: Build): RuntimeSpec {
  const look = defineTool({ name: 'look', description, effects: 'read', input })
  const common = { model, prompt, limits: { maxSteps }, ...(settings === undefined ? {} : { modelSettings: settings }) }
  return defineRuntime({
    tenant: defineTenant('acme', 'v1'),
    agents: [
      defineCoordinator({ name: 'front', ...common, routes: ['helper', 'other'], tools: [ask, look] }),
      defineSpecialist({ name: 'helper', ...common }),
      // So that both providers are those of an agent.
      defineSpecialist({ name: 'other', model: 'old/m', prompt: 'Other.' }),
    ],
  })
}

/** Models that ask, then route to the helper, then answer; and what they were asked, each with the provider. */
function models() {
  const asked: { readonly provider: string; readonly request: ModelRequest }[] = []
  const of = (provider: string) =>
    sayingModel((request) => {
      asked.push({ provider, request })
      const isFront = request.tools.length > 0
      const turn = request.messages.filter(({ role }) => role === 'tool').length
      if (!isFront) return says('Helped.')
      if (turn === 0) return calls(['ask', { question: 'Which?' }])
      return turn === 1 ? calls(['helper', { task: 'Help' }]) : says('Done.')
    })
  return { asked, models: { old: of('old'), new: of('new') } }
}

/** A run that waits for an answer, begun with one build. */
async function waiting(store: Store, build: Build) {
  const runtime = await createRuntime(specOf(build), {
    store,
    models: models().models,
    tools: { look: () => 1 } as never,
  })
  const { runId, status } = await runtime.query('Go').result()
  expect(status).toBe('suspended')
  const [wait] = (await runtime.waits.list({ runId })).items
  await runtime.waits.settle(wait?.waitId ?? '', { value: 'This.' })
  await runtime.close()
  return runId
}

/** What the agents were asked with, when another build goes on with the run. */
async function goneOn(store: Store, runId: string, build: Build, onChanged?: OnChanged) {
  const { asked, models: all } = models()
  const runtime = await createRuntime(specOf(build), { store, models: all, tools: { look: () => 1 } as never })
  const result = await runtime.runs.resume(runId, onChanged === undefined ? {} : { onChanged }).result()
  await runtime.close()
  return { result, asked }
}

const before: Build = {}
const changes: [string, Build, (asked: { provider: string; request: ModelRequest }) => unknown, unknown, unknown][] = [
  ['prompt', { prompt: 'New.' }, ({ request }) => request.system, 'Old.', 'New.'],
  ['model', { model: 'new/m' }, ({ provider }) => provider, 'old', 'new'],
  ['model id', { model: 'old/n' }, ({ request }) => request.modelId, 'm', 'n'],
  ['settings', { settings: { temperature: 1 } }, ({ request }) => request.settings?.temperature, undefined, 1],
]

describe.each(engines)('a run that waits while a deploy changes its agents, on %s', (engine) => {
  it.each(changes)('keeps its %s, or takes the new one', async (_, build, shown, old, now) => {
    const store = await openFresh(engine)
    for (const onChanged of [undefined, 'keep', 'take'] as const) {
      const runId = await waiting(store, before)
      const { result, asked } = await goneOn(store, runId, build, onChanged)
      expect(result).toMatchObject({ status: 'completed', text: 'Done.' })
      const first = onChanged === 'take' ? now : old
      // The helper begins after the deploy.
      expect(asked.map(shown)).toEqual([first, now, first])
    }
  })

  it('keeps the limits of the agent that was called, or takes the new ones', async () => {
    const store = await openFresh(engine)
    const build = (maxSteps: number) =>
      defineRuntime({
        tenant: defineTenant('acme', 'v1'),
        agents: [
          defineCoordinator({ name: 'front', model: 'old/m', prompt: 'Route.', routes: ['helper'] }),
          defineSpecialist({ name: 'helper', model: 'old/m', prompt: 'Help.', tools: [ask], limits: { maxSteps } }),
        ],
      })
    const model = sayingModel(({ system, messages }) => {
      const result = messages.flatMap(({ parts }) => parts).find(({ type }) => type === 'tool-result')
      if (result !== undefined) return says(system === 'Route.' ? JSON.stringify(result) : 'Done.')
      return system === 'Route.' ? calls(['helper', { task: 'Help' }]) : calls(['ask', { question: 'Which?' }])
    })
    const outcomes: unknown[] = []
    for (const onChanged of ['keep', 'take'] as const) {
      const first = await createRuntime(build(1), { store, models: { old: model }, tools: {} })
      const { runId } = await first.query('Go').result()
      const [wait] = (await first.waits.list({ runId })).items
      await first.waits.settle(wait?.waitId ?? '', { value: 'This.' })
      const second = await createRuntime(build(9), { store, models: { old: model }, tools: {} })
      outcomes.push(await second.runs.resume(runId, { onChanged }).result())
    }
    expect(outcomes).toEqual([
      expect.objectContaining({ status: 'completed', text: expect.stringContaining('maxSteps') }),
      expect.objectContaining({ status: 'completed', text: expect.stringContaining('Done.') }),
    ])
  })

  it('has the tools of the new build', async () => {
    const store = await openFresh(engine)
    const runId = await waiting(store, before)
    const { asked } = await goneOn(store, runId, { prompt: 'New.', description: 'Looks well' })
    const [front] = asked
    expect(front?.request.system).toBe('Old.')
    expect(front?.request.tools.map(({ description }) => description)).toContain('Looks well')
  })

  it('is gone on with by a host as the host says', async () => {
    for (const onChanged of ['keep', 'take'] as const) {
      const store = await openFresh(engine)
      const runId = await waiting(store, before)
      const { asked, models: all } = models()
      const host = await createHost(specOf({ prompt: 'New.' }), {
        store,
        models: all,
        tools: { look: () => 1 } as never,
        onChanged,
      })
      const acme = await host.runtime('acme')
      await host.start()
      for await (const { type } of acme.runs.follow(runId)) if (type === 'run.completed') break
      expect(asked[0]?.request.system).toBe(onChanged === 'keep' ? 'Old.' : 'New.')
      await host.close()
    }
  })
})

it('takes the new definition if no agent has a model of the old provider any more', async () => {
  const store = await openFresh('memory')
  const front = (model: string) =>
    defineRuntime({
      tenant: defineTenant('acme', 'v1'),
      agents: [defineSpecialist({ name: 'front', model, prompt: model, tools: [ask] })],
    })
  const model = sayingModel(({ messages }) =>
    messages.some(({ role }) => role === 'tool') ? says('Done.') : calls(['ask', { question: 'Which?' }]),
  )
  const first = await createRuntime(front('old/m'), { store, models: { old: model }, tools: {} })
  const { runId } = await first.query('Go').result()
  const [wait] = (await first.waits.list({ runId })).items
  await first.waits.settle(wait?.waitId ?? '', { value: 'This.' })
  await first.close()
  const second = await createRuntime(front('new/m'), { store, models: { new: model }, tools: {} })
  expect(await second.runs.resume(runId).result()).toMatchObject({ status: 'completed' })
  expect(model.requests.map(({ system }) => system)).toEqual(['old/m', 'new/m'])
})

it('stores a definition outside of the journals, and again after an erase', async () => {
  const store = await openFresh('memory')
  const prompt = `Old. ${'x'.repeat(100_000)}`
  const runtime = await createRuntime(specOf({ prompt }), {
    store,
    models: models().models,
    tools: { look: () => 1 } as never,
  })
  for (let run = 0; run < 20; run += 1) await runtime.query('Go').result()
  expect((await runtime.usage()).storage.runs.bytes).toBeLessThan(prompt.length)
  await runtime.erase({ confirm: 'acme' })
  const runId = await waiting(store, { prompt })
  const { asked } = await goneOn(store, runId, { prompt: 'New.' })
  expect(asked[0]?.request.system).toBe(prompt)
})
