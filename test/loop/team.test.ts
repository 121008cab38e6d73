import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import {
  createRuntime,
  defineCoordinator,
  defineExecutor,
  definePlan,
  definePlanner,
  defineReference,
  defineRuntime,
  defineSpecialist,
  defineTool,
  layeredPrompt,
  type Model,
  type ModelRequest,
  type RuntimeOptions,
  type Store,
} from '../../ts/index.ts'
import { codeOf } from '../support/failures.ts'
import { engines, openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { calls, kindsOf, sayingModel, says, script } from './models.ts'

const table = defineReference({ name: 'table' })
const load = defineTool({
  name: 'load',
  description: 'Loads rows',
  effects: 'read',
  result: table,
  input: z.object({ name: z.string() }),
})
const total = defineTool({
  name: 'total',
  description: 'Adds a column up',
  effects: 'read',
  references: { rows: table },
  input: z.object({ rows: z.string(), column: z.string(), first: z.number().optional() }),
})
const publish = defineTool({
  name: 'publish',
  description: 'Publishes a number',
  approval: 'always',
  input: z.object({ number: z.number() }),
})
const prompt = layeredPrompt({
  role: 'You are an analyst.',
  instructions: 'Count.',
  domainKnowledge: { entities: ['film', 'year'], since: 1900, note: 'All of them.', nested: { a: [1] } },
  examples: ['One', { input: 'Two', output: 'Three' }],
  style: 'Short.',
})
const counter = defineSpecialist({
  name: 'counter',
  description: 'Counts things',
  model: 'test/counter',
  modelSettings: { temperature: 0 },
  prompt,
  output: z.object({ count: z.number() }),
})
const planner = definePlanner({
  name: 'planner',
  model: 'test/planner',
  prompt: 'Plan.',
  plan: definePlan({ name: 'report' }),
})
const worker = defineExecutor({ name: 'worker', tools: [load, total, publish] })
const front = defineCoordinator({
  name: 'front',
  model: 'test/front',
  prompt: 'Route.',
  routes: ['counter', 'planner'],
})
const spec = defineRuntime({ tenant: acme, agents: [front, counter, planner, worker] })

const plan = {
  goal: 'Publish the total',
  steps: [
    { id: 'rows', tool: 'load', input: { name: 'films' } },
    {
      id: 'sum',
      tool: 'total',
      input: { rows: { $step: 'rows' }, column: 'n', first: { $step: 'rows', path: '/0/n' } },
    },
    { id: 'out', tool: 'publish', input: { number: { $step: 'sum', path: '/total' } } },
  ],
}

/** One provider for all agents, each with what it says. */
function models(agents: { readonly [modelId: string]: Model }): { test: Model } {
  return { test: { stream: (request) => (agents[request.modelId] as Model).stream(request) } }
}

const published: unknown[] = []

function team(
  store: Store,
  agents: { readonly [modelId: string]: Model },
  options: Omit<RuntimeOptions<typeof spec>, 'models' | 'tools'> = {},
) {
  const rows = [{ n: 3 }, { n: 4 }, { n: 5 }]
  return createRuntime(spec, {
    store,
    models: models(agents),
    tools: {
      load: () => rows,
      total: async ({ rows: id, column, first }, { references }) => {
        const found = (await references.resolve(id)).json<Record<string, number>[]>()
        return { total: found.reduce((sum, row) => sum + (row[column] ?? 0), 0), first }
      },
      publish: ({ number }) => {
        published.push(number)
        return `published ${number}`
      },
    },
    ...options,
  })
}

describe.each(engines)('a team on %s', (engine) => {
  it('a coordinator routes to a specialist, whose checked answer returns as a result', async () => {
    const asked: ModelRequest[] = []
    const runtime = await team(await openFresh(engine), {
      front: script(calls(['counter', { task: 'Count the films' }]), says('There are 3.')),
      counter: {
        async *stream(request) {
          asked.push(request)
          yield* says(asked.length === 1 ? 'three' : asked.length === 2 ? '{"count":"3"}' : '{"count":3}')
        },
      },
    })
    const run = runtime.query('How many?')
    expect(await run.result()).toMatchObject({ status: 'completed', text: 'There are 3.' })
    expect(await kindsOf(run)).toEqual([
      'run.started',
      'agent.started',
      'model.completed',
      'tool.called',
      'agent.started',
      'text.delta',
      'model.completed',
      'text.delta',
      'model.completed',
      'text.delta',
      'model.completed',
      'agent.completed',
      'tool.completed',
      'text.delta',
      'model.completed',
      'agent.completed',
      'run.completed',
    ])
    expect(asked[0]).toMatchObject({
      modelId: 'counter',
      system: [
        'You are an analyst.',
        'Count.',
        '# Domain knowledge\nentities: film, year\nsince: 1900\nnote: All of them.\nnested: {"a":[1]}',
        '# Examples\nOne\n\nInput: Two\nOutput: Three',
        '# Style\nShort.',
      ].join('\n\n'),
      settings: { temperature: 0 },
      tools: [],
      outputSchema: counter.output,
    })
    // What was wrong with its answer is told, and no more than its task is known.
    expect(asked[2]?.messages.map(({ role, parts }) => [role, parts])).toMatchObject([
      ['user', [{ text: 'Count the films' }]],
      ['assistant', [{ text: 'three' }]],
      ['user', [{ text: expect.stringContaining('JSON') }]],
      ['assistant', [{ text: '{"count":"3"}' }]],
      ['user', [{ text: expect.stringContaining('/count') }]],
    ])
    expect((await runtime.threads.messages(run.threadId as string)).items).toHaveLength(4)
  })

  it('runSpecialist gives the typed output, or fails when the answer never fits', async () => {
    const good = await team(await openFresh(engine), { counter: script(says('```json\n{"count":3}\n```')) })
    const result = await good.runSpecialist('counter', 'How many?').result()
    if (result.status !== 'completed') throw new Error(result.status)
    const { count }: { count: number } = result.output
    expect(count).toBe(3)
    const bad = await team(await openFresh(engine), { counter: sayingModel(() => says('never')) })
    expect(await bad.runSpecialist('counter', 'How many?').result()).toMatchObject({
      status: 'failed',
      error: { code: 'OUTPUT_INVALID', retryable: false },
    })
    expect(await codeOf(() => good.runSpecialist('planner' as 'counter', 'x').result())).toBe('SPEC_INVALID')
    expect(await codeOf(() => good.runSpecialist('nobody' as 'counter', 'x').result())).toBe('SPEC_INVALID')
  })

  it('a plan is drafted, corrected, saved, approved by its hash, run by its dependencies, and answered from', async () => {
    const wrong = { ...plan, steps: [{ id: 'a', tool: 'search', input: {} }] }
    const circle = {
      ...plan,
      steps: [
        { id: 'a', tool: 'load', input: { name: { $step: 'b' } } },
        { id: 'b', tool: 'load', input: { name: { $step: 'a' } } },
      ],
    }
    const drafts = script(
      says(JSON.stringify(wrong)),
      says(JSON.stringify(circle)),
      says(JSON.stringify({ ...plan, steps: [{ id: 'rows', tool: 'load', input: { name: 5 } }] })),
      says(JSON.stringify(plan)),
    )
    published.length = 0
    const store = await openFresh(engine)
    const answers = script(calls(['planner', { task: 'Publish it' }]), says('Published 12.'))
    const first = await team(store, { front: answers, planner: drafts })
    const run = first.query('Publish the total')
    const suspended = await run.result()
    if (suspended.status !== 'suspended') throw new Error(suspended.status)
    const [approval] = suspended.approvals
    const { items } = await first.plans.list()
    const saved = await first.plans.load(items[0]?.planId as string)
    expect(approval?.subject).toEqual({ planId: saved.planId, planHash: saved.hash })
    expect(saved).toMatchObject({ status: 'draft', type: 'report', goal: plan.goal, version: 1 })
    expect(saved.steps[1]?.dependsOn).toEqual(['rows'])
    expect(drafts.requests[3]?.messages.filter(({ role }) => role === 'user')).toHaveLength(4)
    await first.approvals.respond(approval?.approvalId as string, { decision: 'approve', actor: 'boss' })
    await first.close()
    // The step that publishes takes what it publishes from another, so that it is asked about on what that gave.
    const second = await team(store, { front: script(says('Published 12.')) })
    const again = await second.runs.resume(run.runId).result()
    if (again.status !== 'suspended') throw new Error(JSON.stringify(again))
    expect(again.approvals[0]?.subject).toEqual({ tool: 'publish', input: { number: 12 } })
    expect(published).toEqual([])
    await second.approvals.respond(again.approvals[0]?.approvalId as string, { decision: 'approve', actor: 'boss' })
    const resumed = second.runs.resume(run.runId)
    expect(await resumed.result()).toMatchObject({ status: 'completed', text: 'Published 12.' })
    expect(published).toEqual([12])
    expect(await second.plans.load(saved.planId)).toMatchObject({ status: 'completed', hash: saved.hash })
    const kinds = await kindsOf(resumed)
    expect(kinds.filter((kind) => kind === 'reference.created')).toHaveLength(3)
    expect(kinds.slice(-2)).toEqual(['agent.completed', 'run.completed'])
    expect(await second.approvals.verify()).toMatchObject({ ok: true, size: 2 })
  })

  it('a plan that is refused, or changed after it was approved, is not run', async () => {
    const store = await openFresh(engine)
    const seen: ModelRequest[] = []
    const agents = () => ({
      front: sayingModel((request) => {
        seen.push(request)
        return request.messages.length === 1 ? calls(['planner', { task: 'Publish it' }]) : says('Not published.')
      }),
      planner: script(says(JSON.stringify(plan))),
    })
    published.length = 0
    const refusing = await team(store, agents(), { approve: async () => ({ decision: 'reject', actor: 'boss' }) })
    expect(await refusing.query('Publish').result()).toMatchObject({ text: 'Not published.' })
    expect(seen.at(-1)?.messages.at(-1)?.parts[0]).toMatchObject({
      isError: true,
      result: { error: { code: 'AGENT_FAILED', message: expect.stringContaining('not approved') } },
    })
    const runtime = await team(store, agents())
    const run = runtime.query('Publish')
    const suspended = await run.result()
    if (suspended.status !== 'suspended') throw new Error(suspended.status)
    const planId = (suspended.approvals[0]?.subject as { planId: string } | undefined)?.planId as string
    await runtime.approvals.respond(suspended.approvals[0]?.approvalId as string, {
      decision: 'approve',
      actor: 'boss',
    })
    await runtime.plans.save({ ...plan, type: 'report', planId })
    expect(await runtime.runs.resume(run.runId).result()).toMatchObject({ text: 'Not published.' })
    expect(published).toEqual([])
  })
})

describe('who is asked', () => {
  it('query goes to the only specialist; several need a coordinator', async () => {
    const one = defineSpecialist({ name: 'one', model: 'test/m', prompt: 'x' })
    const two = defineSpecialist({ name: 'two', model: 'test/m', prompt: 'x' })
    const options = async () => ({ store: await openFresh('memory'), models: { test: sayingModel(() => says('Hi.')) } })
    const alone = await createRuntime(defineRuntime({ tenant: acme, agents: [one] }), await options())
    expect(await alone.query('Hi').result()).toMatchObject({ text: 'Hi.' })
    for (const agents of [[one, two], [defineExecutor({ name: 'three', tools: [] })]]) {
      const nobody = defineRuntime({ tenant: acme, agents })
      await expect(createRuntime(nobody, await options())).rejects.toMatchObject({
        code: 'SPEC_INVALID',
        issues: [{ path: 'agents' }],
      })
    }
    const front = defineCoordinator({ name: 'front', model: 'test/m', prompt: 'x', routes: ['one'] })
    const all = await createRuntime(defineRuntime({ tenant: acme, agents: [front, one, two] }), await options())
    expect(await all.query('Hi').result()).toMatchObject({ text: 'Hi.' })
    expect(await all.runSpecialist('two', 'Hi').result()).toMatchObject({ output: 'Hi.' })
    expect(await codeOf(() => alone.query({ prompt: [] }).result())).toBe('INVALID_INPUT')
    expect(await codeOf(() => alone.query({ prompt: [{ type: 'reasoning', text: 'x' }] }).result())).toBe(
      'INVALID_INPUT',
    )
    expect(await codeOf(() => alone.query({ prompt: '\ud800' }).result())).toBe('INVALID_INPUT')
    expect(await codeOf(() => alone.query({ prompt: 'x', limits: { maxSteps: 0 } }).result())).toBe('INVALID_INPUT')
    expect(await codeOf(() => alone.query({ prompt: 'x', threadId: '' }).result())).toBe('INVALID_INPUT')
  })
})
