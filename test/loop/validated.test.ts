import { scriptedModel } from 'bailiwick/testing'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  createRuntime,
  defineCoordinator,
  defineExecutor,
  definePlan,
  definePlanner,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type ModelEvent,
  type Schema,
  type ToolDefinition,
} from '../../ts/index.ts'

const usage = { inputTokens: 1, outputTokens: 1 }
const says = (text: string): ModelEvent[] => [
  { type: 'text.delta', id: 't', delta: text },
  { type: 'finish', reason: 'stop', usage },
]
const calls = (input: unknown): ModelEvent[] => [
  { type: 'tool.call', callId: 'c', tool: 'take', input: JSON.stringify(input) },
  { type: 'finish', reason: 'tool-calls', usage },
]

/** One agent with one tool that is called once with an input, and what came of it. */
async function called(schema: Schema, input: unknown, more: Partial<ToolDefinition<'take', Schema, undefined>> = {}) {
  const tool = defineTool({ name: 'take', description: 'Takes', input: schema, ...more })
  const agent = defineSpecialist({ name: 'one', model: 'test/any', prompt: 'x', tools: [tool] })
  const spec = defineRuntime({ tenant: defineTenant('acme', 'v1'), agents: [agent] })
  const given: unknown[] = []
  const asked: unknown[] = []
  await using runtime = await createRuntime(spec, {
    store: 'memory:',
    models: { test: scriptedModel([calls(input), says('Done')]) },
    tools: { take: (value: unknown) => void given.push(value) } as never,
    needsApproval: ({ input: of }) => {
      asked.push(of)
      return true
    },
  })
  const run = runtime.query('Go')
  const failures: unknown[] = []
  for await (const event of run) if (event.type === 'tool.failed') failures.push(event.error)
  const result = await run.result()
  const approvals = result.status === 'suspended' ? result.approvals : []
  return { given, asked, failures, subjects: approvals.map(({ subject }) => subject), status: result.status }
}

describe('a Standard Schema decides alone', () => {
  test.each<[string, Schema, unknown, unknown]>([
    ['z.coerce', z.object({ n: z.coerce.number() }), { n: '7' }, { n: 7 }],
    [
      'z.coerce of several',
      z.object({ n: z.coerce.number(), b: z.coerce.boolean() }),
      { n: '1', b: 1 },
      { n: 1, b: true },
    ],
    ['z.preprocess', z.object({ n: z.preprocess((n) => Number(n), z.number()) }), { n: '7' }, { n: 7 }],
    [
      'z.preprocess of the whole',
      z.preprocess((value) => (typeof value === 'string' ? JSON.parse(value) : value), z.object({ n: z.number() })),
      '{"n":7}',
      { n: 7 },
    ],
    ['catch', z.object({ n: z.number().catch(1) }), { n: 'x' }, { n: 1 }],
    ['catch of the whole', z.object({ n: z.number() }).catch({ n: 1 }), { n: 'x' }, { n: 1 }],
    ['a default', z.object({ n: z.number().default(2) }), {}, { n: 2 }],
  ])('%s gets its turn', async (_, schema, input, expected) => {
    const outcome = await called(schema, input)
    expect(outcome).toMatchObject({ given: [expected], failures: [], status: 'completed' })
  })

  test('a refused input is reported to the model, and the handler does not run', async () => {
    const { given, failures, status } = await called(z.object({ n: z.coerce.number() }), { n: 'x' })
    expect(given).toEqual([])
    expect(failures).toEqual([{ code: 'INPUT_INVALID', message: expect.stringContaining('/n') }])
    expect(status).toBe('completed')
  })

  test.each(['always', 'dynamic'] as const)(
    'with approval %s it validates before a person is asked, and the approval covers the bytes of the model',
    async (approval) => {
      const schema = z.object({ n: z.coerce.number().max(9) })
      const good = await called(schema, { n: '7' }, { approval })
      expect(good).toMatchObject({ status: 'suspended', given: [], subjects: [{ tool: 'take', input: { n: '7' } }] })
      expect(good.asked).toEqual(approval === 'dynamic' ? [{ n: '7' }] : [])
      const wrong = await called(schema, { n: '70' }, { approval })
      expect(wrong).toMatchObject({ status: 'completed', given: [], asked: [], subjects: [] })
      expect(wrong.failures).toEqual([{ code: 'INPUT_INVALID', message: expect.stringContaining('at "/n"') }])
      const thrown = z.object({ n: z.number() }).refine(() => {
        throw new Error('no')
      })
      const failed = await called(thrown, { n: 1 }, { approval })
      expect(failed).toMatchObject({ status: 'completed', given: [], failures: [{ code: 'INPUT_INVALID' }] })
    },
  )

  test('a JSON Schema is checked as before', async () => {
    const schema = { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] }
    expect(await called(schema, { n: '7' })).toMatchObject({ given: [], failures: [{ code: 'INPUT_INVALID' }] })
    expect(await called(schema, { n: 7 })).toMatchObject({ given: [{ n: 7 }], failures: [] })
  })

  test('also for the answers of an agent', async () => {
    const output = z.object({ n: z.coerce.number(), list: z.array(z.string()).catch([]) })
    const agent = defineSpecialist({ name: 'one', model: 'test/any', prompt: 'x', output })
    const spec = defineRuntime({ tenant: defineTenant('acme', 'v1'), agents: [agent] })
    const model = scriptedModel([says('{"n":"x"}'), says('{"n":"7","list":3}')])
    await using runtime = await createRuntime(spec, { store: 'memory:', models: { test: model } })
    const result = await runtime.runSpecialist('one', 'Go').result()
    expect(result).toMatchObject({ status: 'completed', output: { n: 7, list: [] } })
  })

  test('the same for the steps of a plan, before it is asked about', async () => {
    const take = defineTool({ name: 'take', description: 'Takes', input: z.object({ n: z.coerce.number() }) })
    const plan = definePlan({ name: 'report' })
    const planner = definePlanner({ name: 'planner', model: 'test/any', prompt: 'x', plan })
    const executor = defineExecutor({ name: 'executor', tools: [take] })
    const coordinator = defineCoordinator({ name: 'boss', model: 'test/boss', prompt: 'x', routes: ['planner'] })
    const spec = defineRuntime({
      tenant: defineTenant('acme', 'v1'),
      agents: [coordinator, planner, executor],
      plans: [plan],
    })
    const draft = (n: string) => says(JSON.stringify({ goal: 'x', steps: [{ id: 'a', tool: 'take', input: { n } }] }))
    const route: ModelEvent[] = [
      { type: 'tool.call', callId: 'r', tool: 'planner', input: '{"task":"x"}' },
      { type: 'finish', reason: 'tool-calls', usage },
    ]
    await using runtime = await createRuntime(spec, {
      store: 'memory:',
      models: { test: scriptedModel([route, draft('x'), draft('7')]) },
      tools: { take: () => null } as never,
    })
    const result = await runtime.query('Go').result()
    if (result.status !== 'suspended') throw new Error(JSON.stringify(result))
    const subject = result.approvals[0]?.subject as { planId: string }
    expect((await runtime.plans.load(subject.planId)).steps[0]?.input).toEqual({ n: '7' })
  })
})
