import { beforeEach, expect, test } from 'vitest'
import { askedAgent } from '../../ts/common/asked-agent.ts'
import {
  createRuntime,
  defineExecutor,
  definePlan,
  definePlanner,
  defineRuntime,
  defineSpecialist,
  defineTool,
  type Message,
  type ModelEvent,
  type ModelRequest,
} from '../../ts/index.ts'
import { calls, sayingModel, says } from '../loop/models.ts'
import { openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { takeSpans } from './spans.ts'

const input = { type: 'object' } as const
const look = defineTool({ name: 'look', description: 'Looks', effects: 'read', input })
const ask = defineTool({ name: 'ask', description: 'Asks', approval: 'always', input })
const finder = defineSpecialist({ name: 'finder', model: 'test/finder', prompt: 'f', tools: [look, ask] })
const writer = defineSpecialist({ name: 'writer', model: 'test/writer', prompt: 'w', tools: [finder, look] })
const lead = defineSpecialist({ name: 'lead', model: 'test/lead', prompt: 'l', tools: [writer, finder] })
const spec = defineRuntime({ tenant: acme, agents: [lead] })

type Turn = (messages: readonly Message[], request: ModelRequest) => ModelEvent[]

/** A runtime whose agents say, by the number of their messages, what a script has for them. */
async function team(scripts: Record<string, Turn>, of = spec, store?: Awaited<ReturnType<typeof openFresh>>) {
  const model = sayingModel((request) => scripts[request.modelId]?.(request.messages, request) ?? says('?'))
  return await createRuntime(of, {
    store: store ?? (await openFresh('memory')),
    models: { test: model },
    tools: { look: () => 'seen', ask: () => 'asked' } as never,
  })
}

/** The spans as they lie below each other, in the order in which they ended. */
const shape = () =>
  takeSpans().flatMap(({ name, parent }) =>
    name.startsWith('bailiwick') ? [] : [`${parent?.split(' ')[1]} > ${name}`],
  )

beforeEach(() => void takeSpans())

test('each agent has one span, below that of the agent that called it', async () => {
  const runtime = await team({
    lead: (messages) =>
      messages.length === 1 ? calls(['writer', { task: 'Write' }], ['finder', { task: 'Find' }]) : says('Done.'),
    writer: (messages) =>
      messages.length === 1 ? calls(['finder', { task: 'Help' }], ['look', {}]) : says('Written.'),
    finder: (messages) => (messages.length === 1 ? calls(['look', {}]) : says('Found.')),
  })
  await runtime.query('Go').result()
  const ofFinder = ['finder > chat finder', 'finder > execute_tool look', 'finder > chat finder']
  expect(shape()).toEqual([
    'lead > chat lead',
    'writer > chat writer',
    'writer > execute_tool look',
    ...ofFinder,
    'writer > invoke_agent finder',
    'writer > chat writer',
    'lead > invoke_agent writer',
    ...ofFinder,
    'lead > invoke_agent finder',
    'lead > chat lead',
    'undefined > invoke_agent lead',
  ])
})

test('so it is in a run that goes on in the middle of them', async () => {
  const scripts: Record<string, Turn> = {
    lead: (messages) => (messages.length === 1 ? calls(['writer', { task: 'Write' }]) : says('Done.')),
    writer: (messages) =>
      messages.length === 1
        ? calls(['finder', { task: 'a' }])
        : messages.length === 3
          ? calls(['finder', { task: 'b' }])
          : says('Written.'),
    finder: (messages) => (messages.length === 1 ? calls(['ask', {}]) : says('Found.')),
  }
  const runtime = await team(scripts)
  const run = runtime.query('Go')
  await run.result()
  expect(shape().slice(-3)).toEqual([
    'writer > invoke_agent finder',
    'lead > invoke_agent writer',
    'undefined > invoke_agent lead',
  ])
  const approve = async () => {
    const [pending] = (await runtime.approvals.pending()).items
    await runtime.approvals.respond(pending?.approvalId ?? '', { decision: 'approve', actor: 'ann' })
    await runtime.runs.resume(run.runId).result()
    return shape()
  }
  // Of an agent that was not heard yet, it is not known who called it.
  expect(await approve()).toEqual([
    'finder > execute_tool ask',
    'finder > chat finder',
    'lead > invoke_agent finder',
    'writer > chat writer',
    'finder > chat finder',
    'writer > invoke_agent finder',
    'lead > invoke_agent writer',
    'undefined > invoke_agent lead',
  ])
  expect((await approve()).at(-1)).toBe('undefined > invoke_agent lead')
})

test('an agent that is a step of a plan lies below the planner, whose span goes on', async () => {
  const planner = definePlanner({
    name: 'planner',
    model: 'test/planner',
    prompt: 'p',
    plan: definePlan({ name: 'report' }),
  })
  const worker = defineExecutor({ name: 'worker', tools: [look, finder] })
  const chief = defineSpecialist({ name: 'chief', model: 'test/chief', prompt: 'c', tools: [planner] })
  const plan = {
    goal: 'Find',
    steps: [
      { id: 'found', tool: 'finder', input: { task: 'x' } },
      { id: 'seen', tool: 'look', input: {}, dependsOn: ['found'] },
    ],
  }
  const runtime = await createRuntime(defineRuntime({ tenant: acme, agents: [chief, worker] }), {
    store: await openFresh('memory'),
    models: {
      test: sayingModel(({ modelId, messages }) => {
        if (modelId === 'chief') return messages.length === 1 ? calls(['planner', { task: 'Plan' }]) : says('Done.')
        return says(modelId === 'planner' ? JSON.stringify(plan) : 'Found.')
      }),
    },
    tools: { look: () => 'seen', ask: () => 'asked' },
    approve: async () => ({ decision: 'approve', actor: 'ann' }),
  })
  expect(await runtime.query('Go').result()).toMatchObject({ status: 'completed' })
  expect(shape()).toEqual([
    'chief > chat chief',
    'planner > chat planner',
    'finder > chat finder',
    'planner > invoke_agent finder',
    'worker > execute_tool look',
    'planner > invoke_agent worker',
    'chief > invoke_agent planner',
    'chief > chat chief',
    'undefined > invoke_agent chief',
  ])
})

test('a summary belongs to the agent whose messages it is of', async () => {
  const clerk = defineSpecialist({ name: 'clerk', model: 'test/clerk', prompt: 'Help.', tools: [look] })
  const above = defineSpecialist({ name: 'above', model: 'test/above', prompt: 'x', tools: [clerk] })
  const context = { maxTokens: 2_000, compact: 'summary' } as const
  const long = 'word '.repeat(700)
  let looks = 0
  const runtime = await team(
    {
      above: (messages, { system }) => {
        if (system.startsWith('You compress')) return says('Short.')
        return messages.some(({ role }) => role === 'tool') ? says('Done.') : calls(['clerk', { task: 'x' }])
      },
      clerk: (messages, { system }) => {
        if (system.startsWith('You compress')) return says('Short.')
        looks += 1
        if (looks === 6) return says('Kept.')
        const used = { inputTokens: Math.ceil(JSON.stringify(messages).length / 4), outputTokens: 1 }
        const [call] = calls(['look', {}])
        return [
          { type: 'text.delta', id: 't', delta: long },
          call as ModelEvent,
          { type: 'finish', reason: 'tool-calls', usage: used },
        ]
      },
    },
    defineRuntime({ tenant: acme, agents: [above], context }) as never,
  )
  await runtime.threads.append(
    'long',
    Array.from({ length: 60 }, (_, at) => ({
      role: at % 2 === 0 ? ('user' as const) : ('assistant' as const),
      parts: [{ type: 'text' as const, text: `said ${at}, ${'word '.repeat(40)}` }],
    })),
  )
  expect(await runtime.query({ prompt: 'Go', threadId: 'long' }).result()).toMatchObject({ status: 'completed' })
  const spans = shape()
  // Besides their own answers.
  expect(spans.filter((span) => span === 'above > chat above').length).toBeGreaterThan(2)
  expect(spans.filter((span) => span === 'clerk > chat clerk').length).toBeGreaterThan(6)
  expect(spans.filter((span) => span.includes('invoke_agent'))).toEqual([
    'above > invoke_agent clerk',
    'undefined > invoke_agent above',
  ])
})

test('the agent that is asked is the only specialist that no other agent calls', () => {
  expect(askedAgent(spec.agents)).toBe('lead')
  expect(askedAgent([finder, writer])).toBe('writer')
  expect(askedAgent([finder, { ...lead, tools: [] }])).toBeUndefined()
})
