import { describe, expect, it } from 'vitest'
import {
  createRuntime,
  defineCoordinator,
  defineExecutor,
  definePlan,
  definePlanner,
  defineQuestion,
  defineRuntime,
  defineSpecialist,
  defineTool,
  type Message,
  type ModelEvent,
  type ModelRequest,
  parseRuntimeSpec,
  type Runtime,
  SpecError,
} from '../../ts/index.ts'
import { engines, openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { calls, eventsOf, sayingModel, says } from './models.ts'

const look = defineTool({ name: 'look', description: 'Looks', effects: 'read', input: { type: 'object' } })
const ask = defineTool({ name: 'ask', description: 'Asks', approval: 'always', input: { type: 'object' } })
const question = defineQuestion({ name: 'question', description: 'Asks', answer: { type: 'string' } })
const finder = defineSpecialist({
  name: 'finder',
  description: 'Finds',
  model: 'test/finder',
  prompt: 'f',
  tools: [look, ask],
})
const writer = defineSpecialist({ name: 'writer', model: 'test/writer', prompt: 'w', tools: [finder, look] })
const lead = defineSpecialist({ name: 'lead', model: 'test/lead', prompt: 'l', tools: [writer, 'finder'] })
const spec = defineRuntime({ tenant: acme, agents: [lead] })

/** A planner, with tools for making its plan. */
const plannerOf = (name: string, tools: readonly (typeof finder)[] = []) =>
  definePlanner({ name, model: `test/${name}`, prompt: 'p', plan: definePlan({ name: `${name}-plan` }), tools })
/** The entry agent of a spec, with agents as its tools. */
const chiefOf = (tools: readonly (ReturnType<typeof plannerOf> | ReturnType<typeof defineSpecialist>)[]) =>
  defineSpecialist({ name: 'chief', model: 'test/chief', prompt: 'c', tools })

type Turn = (messages: readonly Message[], request: ModelRequest) => ModelEvent[]

/** A runtime whose agents say, by the number of their messages, what a script has for them. */
async function team(engine: (typeof engines)[number], scripts: Record<string, Turn>, of = spec, more = {}) {
  const model = sayingModel((request) => scripts[request.modelId]?.(request.messages, request) ?? says('?'))
  const runtime = await createRuntime(of as typeof spec, {
    store: await openFresh(engine),
    models: { test: model },
    tools: { look: () => 'seen', ask: () => 'asked', ...more },
  })
  return { runtime, model }
}

/** Approves of what waits. */
async function approve({ approvals }: Runtime): Promise<void> {
  const [pending] = (await approvals.pending()).items
  await approvals.respond(pending?.approvalId ?? '', { decision: 'approve', actor: 'ann' })
}

const resultsIn = (messages: readonly Message[]) =>
  messages.flatMap(({ parts }) => parts.flatMap((part) => (part.type === 'tool-result' ? [part.result] : [])))

it('agents that are given as tools belong to the spec, with their tools, and the dump says the same', () => {
  expect(spec.agents.map(({ name, tools }) => [name, tools])).toEqual([
    ['lead', ['writer', 'finder']],
    ['writer', ['finder', 'look']],
    ['finder', ['look', 'ask']],
  ])
  expect(parseRuntimeSpec(JSON.stringify(spec))).toEqual(spec)
  const alone = (tools: readonly string[]) => () =>
    defineRuntime({ tenant: acme, agents: [defineSpecialist({ name: 'lead', model: 'a/b', prompt: 'x', tools })] })
  expect(alone(['lead'])).toThrow('An agent cannot call itself.')
  expect(alone(['leed'])).toThrow(SpecError)
  const twin = defineTool({ name: 'finder', description: 'x', input: { type: 'object' } })
  expect(() => defineRuntime({ tenant: acme, agents: [lead], tools: [twin] })).toThrow(
    'There is also a tool of this name. Rename one of them.',
  )
})

describe.each(engines)('on %s', (engine) => {
  it('an agent calls agents as tools, each with a conversation and tools of its own', async () => {
    const { runtime, model } = await team(engine, {
      lead: (messages) =>
        messages.length === 1 ? calls(['writer', { task: 'Write' }], ['finder', { task: 'Find' }]) : says('All done.'),
      writer: (messages) =>
        messages.length === 1 ? calls(['finder', { task: 'Help' }], ['look', {}]) : says('Written.'),
      finder: (messages) => (messages.length === 1 ? calls(['look', {}]) : says('Found.')),
    })
    const run = runtime.query('Go')
    expect(await run.result()).toMatchObject({ status: 'completed', text: 'All done.' })
    const begun = (await eventsOf(run)).flatMap((event) => (event.type === 'agent.started' ? [event.agent] : []))
    expect(begun).toEqual(['lead', 'writer', 'finder', 'finder'])
    const last = (id: string) => model.requests.findLast(({ modelId }) => modelId === id)
    expect(resultsIn(last('lead')?.messages ?? [])).toEqual(['Written.', 'Found.'])
    expect(resultsIn(last('writer')?.messages ?? [])).toEqual(['Found.', 'seen'])
    expect(last('lead')?.tools.map(({ name }) => name)).toEqual(['writer', 'finder'])
    expect(last('writer')?.tools).toEqual([
      { name: 'look', description: 'Looks', inputSchema: { type: 'object' } },
      { name: 'finder', description: 'Finds', inputSchema: expect.objectContaining({ required: ['task'] }) },
    ])
    const { items } = await runtime.threads.messages(run.threadId as string)
    expect(items.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'assistant'])
  })

  it('a call of an agent that is not as it must be is refused, and no agent begins', async () => {
    const inputs = [{}, { task: 1 }, { task: 'x', more: 1 }, { planId: 'x' }, ['x']]
    const { runtime, model } = await team(engine, {
      lead: (messages) =>
        messages.length === 1 ? calls(...inputs.map((input) => ['writer', input] as const)) : says('So.'),
    })
    const run = runtime.query('Go')
    expect(await run.result()).toMatchObject({ status: 'completed', text: 'So.' })
    const results = resultsIn(model.requests.at(-1)?.messages ?? []) as { error: { code: string } }[]
    expect(results.map(({ error }) => error.code)).toEqual(inputs.map(() => 'INPUT_INVALID'))
    expect((await eventsOf(run)).filter(({ type }) => type === 'agent.started')).toHaveLength(1)
  })

  it('the limits of an agent end it alone, and those of the run end the run', async () => {
    const limited = defineSpecialist({ ...finder, name: 'limited', tools: [look], limits: { maxSteps: 2 } } as never)
    const few = defineSpecialist({ ...finder, name: 'few', tools: [look], limits: { maxToolCalls: 3 } } as never)
    const small = defineSpecialist({ ...finder, name: 'small', tools: [look], limits: { maxTokens: 20 } } as never)
    const above = defineSpecialist({ name: 'above', model: 'test/above', prompt: 'x', tools: [limited, few, small] })
    const scripts: Record<string, Turn> = {
      above: (messages) =>
        messages.length === 1
          ? calls(...['limited', 'few', 'small'].map((name) => [name, { task: 'x' }] as const))
          : says('On.'),
      finder: () => calls(['look', {}]),
    }
    const { runtime, model } = await team(engine, scripts, defineRuntime({ tenant: acme, agents: [above] }) as never)
    const run = runtime.query('Go')
    expect(await run.result()).toMatchObject({ status: 'completed', text: 'On.' })
    const results = resultsIn(model.requests.at(-1)?.messages ?? []) as { error: { code: string; message: string } }[]
    expect(results.map(({ error }) => [error.code, error.message.match(/max\w+/)?.[0]])).toEqual([
      ['AGENT_FAILED', 'maxSteps'],
      ['AGENT_FAILED', 'maxToolCalls'],
      ['AGENT_FAILED', 'maxTokens'],
    ])
    const whole = await runtime.query({ prompt: 'Go', limits: { maxSteps: 4 } }).result()
    expect(whole).toMatchObject({ status: 'limited', limit: 'maxSteps' })
  })

  it('agents that call each other for ever are stopped at a depth, and the run goes on', async () => {
    const one = defineSpecialist({ name: 'one', model: 'test/one', prompt: 'x', tools: ['two'] })
    const two = defineSpecialist({ name: 'two', model: 'test/two', prompt: 'x', tools: ['one'] })
    const start = defineSpecialist({ name: 'start', model: 'test/start', prompt: 'x', tools: [one] })
    const deeper: Turn = (messages, { modelId }) =>
      messages.length === 1 ? calls([modelId === 'one' ? 'two' : 'one', { task: 'Deeper' }]) : says('Enough.')
    const { runtime, model } = await team(
      engine,
      { start: deeper, one: deeper, two: deeper },
      defineRuntime({ tenant: acme, agents: [start, two] }) as never,
    )
    const run = runtime.query('Go')
    expect(await run.result()).toMatchObject({ status: 'completed', text: 'Enough.' })
    expect((await eventsOf(run)).filter(({ type }) => type === 'agent.started')).toHaveLength(16)
    expect(JSON.stringify(model.requests.map(({ messages }) => messages.at(-1)))).toContain('nested at most 16 deep')
  })

  it('an agent that waits for an approval in the middle of others goes on where it was', async () => {
    const { runtime, model } = await team(engine, {
      lead: (messages) => (messages.length === 1 ? calls(['writer', { task: 'Write' }]) : says('Done.')),
      writer: (messages) => (messages.length === 1 ? calls(['finder', { task: 'Find' }]) : says('Written.')),
      finder: (messages) => (messages.length === 1 ? calls(['ask', {}]) : says('Found.')),
    })
    const run = runtime.query('Go')
    expect(await run.result()).toMatchObject({ status: 'suspended' })
    await approve(runtime)
    expect(await runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'completed', text: 'Done.' })
    expect(resultsIn(model.requests.findLast(({ modelId }) => modelId === 'finder')?.messages ?? [])).toEqual(['asked'])
  })

  it('steps of a plan may be agents, with the results of steps before in their task', async () => {
    const planner = plannerOf('planner')
    const worker = defineExecutor({ name: 'worker', tools: [look, finder] })
    const chief = chiefOf([planner])
    const plan = {
      goal: 'Find',
      steps: [
        { id: 'seen', tool: 'look', input: {} },
        { id: 'found', tool: 'finder', input: { task: { $step: 'seen' } } },
      ],
    }
    const { runtime, model } = await team(
      engine,
      {
        chief: (messages) => (messages.length === 1 ? calls(['planner', { task: 'Plan' }]) : says('Carried out.')),
        planner: () => says(JSON.stringify(plan)),
        finder: () => says('Found.'),
      },
      defineRuntime({ tenant: acme, agents: [chief, worker] }) as never,
    )
    const run = runtime.query('Go')
    expect(await run.result()).toMatchObject({ status: 'suspended' })
    await approve(runtime)
    expect(await runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'completed', text: 'Carried out.' })
    const asked = model.requests.find(({ modelId }) => modelId === 'finder')
    expect(asked?.messages[0]?.parts).toEqual([{ type: 'text', text: 'seen' }])
  })

  it('a planner calls agents before it makes its plan, and an executor does not offer those of the plan to its model', async () => {
    const planner = plannerOf('planner', [finder])
    const chief = chiefOf([planner])
    const worker = defineExecutor({ name: 'worker', model: 'test/worker', prompt: 'w', tools: [look, finder] })
    const plan = { goal: 'Find', steps: [{ id: 'seen', tool: 'look', input: {} }] }
    const { runtime, model } = await team(
      engine,
      {
        chief: (messages) => (messages.length === 1 ? calls(['planner', { task: 'Plan' }]) : says('Done.')),
        planner: (messages) => (messages.length === 1 ? calls(['finder', { task: 'x' }]) : says(JSON.stringify(plan))),
        finder: () => says('Found.'),
        worker: () => says('Reported.'),
      },
      defineRuntime({ tenant: acme, agents: [chief, worker] }) as never,
    )
    const run = runtime.query('Go')
    expect(await run.result()).toMatchObject({ status: 'suspended' })
    await approve(runtime)
    expect(await runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'completed' })
    expect(resultsIn(model.requests.findLast(({ modelId }) => modelId === 'planner')?.messages ?? [])).toEqual([
      'Found.',
    ])
    expect(model.requests.find(({ modelId }) => modelId === 'worker')?.tools).toEqual([])
  })

  it('an agent that is a route and a tool is offered once', async () => {
    const front = defineCoordinator({
      name: 'front',
      model: 'test/front',
      prompt: 'f',
      routes: ['finder'],
      tools: [finder],
    })
    const { runtime, model } = await team(
      engine,
      { front: () => says('Yes.') },
      defineRuntime({ tenant: acme, agents: [front, finder] }) as never,
    )
    await runtime.query('Go').result()
    expect(model.requests[0]?.tools.map(({ name }) => name)).toEqual(['finder'])
  })

  it('a call that waits counts once, and what a limit leaves waiting is withdrawn for that reason', async () => {
    const asker = defineSpecialist({
      name: 'asker',
      model: 'test/asker',
      prompt: 'a',
      tools: [question],
      limits: { maxToolCalls: 1 },
    })
    const later = defineTool({ ...ask, name: 'later', whileWaiting: 'continue' })
    const slow = defineSpecialist({
      name: 'slow',
      model: 'test/slow',
      prompt: 's',
      tools: [later, look],
      limits: { maxSteps: 2 },
    })
    const chief = chiefOf([asker, slow])
    const { runtime, model } = await team(
      engine,
      {
        chief: (messages) =>
          messages.length === 1 ? calls(['asker', { task: 'x' }], ['slow', { task: 'y' }]) : says('So.'),
        asker: (messages) => (messages.length === 1 ? calls(['question', { question: 'Which?' }]) : says('This one.')),
        slow: (messages) => (messages.length === 1 ? calls(['later', {}]) : calls(['look', { at: messages.length }])),
      },
      defineRuntime({ tenant: acme, agents: [chief] }) as never,
      { later: () => 'late' },
    )
    const run = runtime.query('Go')
    expect(await run.result()).toMatchObject({ status: 'suspended' })
    const [wait] = (await runtime.waits.list()).items
    await runtime.waits.settle(wait?.waitId ?? '', { value: 'This.' })
    expect(await runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'completed', text: 'So.' })
    const results = resultsIn(model.requests.findLast(({ modelId }) => modelId === 'chief')?.messages ?? [])
    expect(results).toEqual(['This one.', { error: expect.objectContaining({ code: 'AGENT_FAILED' }) }])
    const { items } = await runtime.approvals.history()
    const withdrawn = items.filter(({ decision }) => decision === 'withdrawn')
    expect(withdrawn.map(({ reason }) => reason)).toEqual([expect.stringContaining('limit maxSteps')])
  })

  it('what a limit cuts off of an agent is taken back, and its tokens count for that agent and the run', async () => {
    const slow = defineSpecialist({ name: 'slow', model: 'test/slow', prompt: 's', limits: { maxDurationMs: 200 } })
    const middle = defineSpecialist({
      name: 'middle',
      model: 'test/middle',
      prompt: 'm',
      tools: [slow, look],
      limits: { maxTokens: 40 },
    })
    const chief = chiefOf([middle])
    const { runtime, model } = await team(
      engine,
      {
        chief: (messages) => (messages.length === 1 ? calls(['middle', { task: 'x' }]) : says('So.')),
        middle: (messages) =>
          messages.length === 1
            ? calls(['slow', { task: 'y' }])
            : messages.length === 3
              ? calls(['look', {}])
              : says('On.'),
      },
      defineRuntime({ tenant: acme, agents: [chief] }) as never,
    )
    const others = model.stream
    model.stream = async function* (request) {
      if (request.modelId !== 'slow') return yield* others(request)
      yield { type: 'usage', usage: { inputTokens: 100 } }
      yield { type: 'text.delta', id: 't', delta: 'Half of it' }
      await new Promise((_, reject) => request.signal.addEventListener('abort', () => reject(new Error('over'))))
    }
    const run = runtime.query('Go')
    const events = await eventsOf(run)
    const result = await run.result()
    expect(result).toMatchObject({ status: 'completed', text: 'So.', usage: { 'test/slow': { inputTokens: 100 } } })
    const half = events.find((event) => event.type === 'text.delta' && event.delta === 'Half of it')
    const discarded = events.findIndex((event) => event.type === 'message.discarded')
    expect(events[discarded]).toMatchObject({ messageId: (half as { messageId: string }).messageId })
    expect(events[discarded + 1]).toMatchObject({ type: 'agent.completed', agent: 'slow' })
    expect(resultsIn(model.requests.findLast(({ modelId }) => modelId === 'chief')?.messages ?? [])).toEqual(['On.'])
  })

  it('plans within plans have failed once their run is cancelled', async () => {
    const inner = plannerOf('inner')
    const outer = plannerOf('outer')
    const chief = chiefOf([outer])
    const worker = defineExecutor({ name: 'worker', tools: [inner, question] })
    const planOf = (tool: string, input: object) =>
      says(JSON.stringify({ goal: 'x', steps: [{ id: 'a', tool, input }] }))
    const { runtime } = await team(
      engine,
      {
        chief: () => calls(['outer', { task: 'x' }]),
        outer: () => planOf('inner', { task: 'y' }),
        inner: () => planOf('question', { question: 'Which?' }),
      },
      defineRuntime({ tenant: acme, agents: [chief, worker] }) as never,
    )
    const run = runtime.query('Go')
    await run.result()
    await approve(runtime)
    await runtime.runs.resume(run.runId).result()
    await approve(runtime)
    await runtime.runs.resume(run.runId).result()
    const statuses = async () => (await runtime.plans.list()).items.map(({ status }) => status)
    expect(await statuses()).toEqual(['executing', 'executing'])
    await runtime.runs.cancel(run.runId)
    expect(await statuses()).toEqual(['failed', 'failed'])
  })
})
