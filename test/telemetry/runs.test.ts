import { AsyncLocalStorage } from 'node:async_hooks'
import { context, trace } from '@opentelemetry/api'
import { beforeEach, describe, expect, test } from 'vitest'
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
  type Model,
  type ModelEvent,
  type ModelRequest,
  type RuntimeOptions,
  type ToolHandlers,
} from '../../ts/index.ts'
import { calls, says, script } from '../loop/models.ts'
import { codeOf } from '../support/failures.ts'
import { openFresh } from '../support/stores.ts'
import { everythingIn, hostTracer, takeRawSpans, takeSpans } from './spans.ts'

const tenant = defineTenant('tenant-canary', 'version-canary')
const input = { type: 'object' } as const
const look = defineTool({ name: 'look', description: 'Looks', effects: 'read', input })
const count = defineTool({ name: 'count', description: 'Counts', effects: 'read', input })
const pay = defineTool({ name: 'pay', description: 'Pays', approval: 'always', input })
const analyst = defineSpecialist({
  name: 'analyst',
  description: 'Analyses',
  model: ['test/first', 'test/second'],
  prompt: 'content-canary',
  tools: [look, count],
})
const front = defineCoordinator({
  name: 'front',
  model: 'test/front',
  modelSettings: { temperature: 0 },
  prompt: 'content-canary',
  routes: ['analyst', 'planner'],
  tools: [pay],
})
const planner = definePlanner({
  name: 'planner',
  model: 'test/planner',
  prompt: 'Plan.',
  plan: definePlan({ name: 'report' }),
})
const worker = defineExecutor({ name: 'worker', tools: [look, count] })
const spec = defineRuntime({ tenant, agents: [front, analyst, planner, worker] })

type Handlers = ToolHandlers<typeof spec>
type Options = Omit<RuntimeOptions<typeof spec>, 'models' | 'tools'> & { readonly tools?: Partial<Handlers> }
type Models = { readonly [modelId: string]: Model }
type Store = Awaited<ReturnType<typeof openFresh>>

/** A runtime of the team, whose models are each a script. */
async function team(models: Models, options: Options = {}, store?: Store) {
  const model: Model = { stream: (request) => (models[request.modelId] as Model).stream(request) }
  const answer = () => {
    hostTracer.startSpan('fetch').end()
    return 'content-canary'
  }
  return await createRuntime(spec, {
    store: store ?? (await openFresh('memory')),
    models: { test: model },
    ...options,
    tools: { look: answer, count: answer, pay: answer, ...options.tools } as Handlers,
  })
}

/** A model that fails so often before it answers. */
function failing(failures: number, error: unknown, answer: readonly ModelEvent[] = says('Done.')): Model {
  let left = failures
  return {
    async *stream() {
      left -= 1
      if (left >= 0) throw error
      yield* answer
    },
  }
}

const shape = () => takeSpans().map(({ name, parent }) => [name, parent])

beforeEach(() => void takeSpans())

describe('a run', () => {
  test('has a span, its agents below it, and their models and tools below them; a resumed run likewise', async () => {
    const store = await openFresh('memory')
    const models = {
      front: script(calls(['analyst', { task: 'content-canary' }]), calls(['pay', { note: 'content-canary' }])),
      first: script(calls(['look', { at: 'content-canary' }], ['count', {}]), says('content-canary')),
    }
    const first = await team(models, {}, store)
    const run = await hostTracer.startActiveSpan('request', async (request) => {
      const begun = first.query('content-canary')
      request.end()
      return begun
    })
    const suspended = await run.result()
    if (suspended.status !== 'suspended') throw new Error(suspended.status)
    const raw = takeRawSpans()
    expect(everythingIn(raw)).not.toMatch(/canary/)
    const names = new Map(raw.map((span) => [span.spanContext().spanId, span.name]))
    // Tools that run together end in any order.
    const pairs = raw.map((span) => [span.name, names.get(span.parentSpanContext?.spanId ?? '')])
    expect(pairs.sort()).toEqual(
      [
        ['request', undefined],
        ['chat front', 'invoke_agent front'],
        ['chat first', 'invoke_agent analyst'],
        ['fetch', 'execute_tool look'],
        ['fetch', 'execute_tool count'],
        ['execute_tool look', 'invoke_agent analyst'],
        ['execute_tool count', 'invoke_agent analyst'],
        ['chat first', 'invoke_agent analyst'],
        ['invoke_agent analyst', 'invoke_agent front'],
        ['chat front', 'invoke_agent front'],
        ['invoke_agent front', 'request'],
      ].sort(),
    )
    const ofRun = { 'bailiwick.run.id': run.runId, 'gen_ai.conversation.id': run.threadId }
    const attributes = (name: string) => raw.findLast((span) => span.name === name)?.attributes
    for (const span of raw.filter(({ name }) => /^(chat|execute_tool|invoke_agent) /.test(name))) {
      expect(span.attributes).toMatchObject(ofRun)
    }
    const usage = { 'gen_ai.usage.input_tokens': 10, 'gen_ai.usage.output_tokens': 5 }
    expect(attributes('chat front')).toEqual({
      ...ofRun,
      ...usage,
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'test',
      'gen_ai.request.model': 'front',
      'gen_ai.request.stream': true,
      'gen_ai.request.temperature': 0,
      'gen_ai.response.finish_reasons': ['tool-calls'],
    })
    expect(attributes('execute_tool look')).toMatchObject({
      'gen_ai.tool.call.id': 'call-0-2',
      'gen_ai.tool.description': 'Looks',
    })
    expect(attributes('invoke_agent analyst')).toMatchObject({
      'gen_ai.agent.description': 'Analyses',
      'gen_ai.usage.input_tokens': 20,
    })
    expect(attributes('invoke_agent front')).toMatchObject({
      'bailiwick.run.status': 'suspended',
      'gen_ai.usage.input_tokens': 40,
    })
    await first.close()

    const second = await team({ front: script(says('content-canary')) }, {}, store)
    const approvalId = suspended.approvals[0]?.approvalId as string
    await second.approvals.respond(approvalId, { decision: 'approve', actor: 'boss' })
    takeSpans()
    const resumed = await second.runs.resume(run.runId).result()
    expect(resumed.status).toBe('completed')
    const spans = takeSpans()
    expect(spans.map(({ name, parent }) => [name, parent])).toEqual([
      ['fetch', 'execute_tool pay'],
      ['execute_tool pay', 'invoke_agent front'],
      ['chat front', 'invoke_agent front'],
      ['invoke_agent front', undefined],
    ])
    for (const { name, attributes } of spans) if (name !== 'fetch') expect(attributes).toMatchObject(ofRun)
    expect(spans.at(-1)?.attributes).toMatchObject({
      'gen_ai.agent.name': 'front',
      'bailiwick.run.status': 'completed',
      'gen_ai.usage.input_tokens': 50,
    })
  })

  test('a run resumed in another trace has a link to the span that began it', async () => {
    const store = await openFresh('memory')
    const began = await team({ front: script(calls(['pay', {}])) }, {}, store)
    const suspended = await began.query('Go').result()
    if (suspended.status !== 'suspended') throw new Error(suspended.status)
    const first = takeRawSpans().find(({ name }) => name === 'invoke_agent front')
    await began.close()
    const later = await team({ front: script(says('Done')) }, {}, store)
    const approvalId = suspended.approvals[0]?.approvalId as string
    await later.approvals.respond(approvalId, { decision: 'approve', actor: 'boss' })
    takeSpans()
    const resume = async () => await later.runs.resume(suspended.runId).result()
    const resumed = await hostTracer.startActiveSpan('later request', async (request) => {
      const result = await resume()
      request.end()
      return result
    })
    expect(resumed.status).toBe('completed')
    const gone = takeRawSpans().find(({ name }) => name === 'invoke_agent front')
    const { traceId, spanId, traceFlags } = first?.spanContext() ?? {}
    expect(gone?.spanContext().traceId).not.toBe(traceId)
    expect(gone?.links.map(({ context }) => context)).toEqual([{ traceId, spanId, traceFlags, isRemote: true }])
    // The trace is the host's own business: no event and no summary shows it.
    const shown = [await later.runs.get(suspended.runId)] as unknown[]
    for await (const event of later.runs.follow(suspended.runId)) shown.push(event)
    expect(JSON.stringify(shown)).not.toContain(String(traceId))
  })

  test("steps of a plan lie below the executor, which lies below the planner; approvers see that agent's span", async () => {
    const steps = [
      { id: 'a', tool: 'look', input: {} },
      { id: 'b', tool: 'count', input: {}, dependsOn: ['a'] },
    ]
    const models = {
      front: script(calls(['planner', { task: 'x' }]), says('Done.')),
      planner: script(says(JSON.stringify({ goal: 'x', steps }))),
    }
    const runtime = await team(models, {
      approve: async () => {
        hostTracer.startSpan('asks a person').end()
        return { decision: 'approve', actor: 'boss' }
      },
    })
    expect(await runtime.query('x').result()).toMatchObject({ status: 'completed' })
    expect(shape()).toEqual([
      ['chat front', 'invoke_agent front'],
      ['chat planner', 'invoke_agent planner'],
      ['asks a person', 'invoke_agent planner'],
      ['fetch', 'execute_tool look'],
      ['execute_tool look', 'invoke_agent worker'],
      ['fetch', 'execute_tool count'],
      ['execute_tool count', 'invoke_agent worker'],
      ['invoke_agent worker', 'invoke_agent planner'],
      ['invoke_agent planner', 'invoke_agent front'],
      ['chat front', 'invoke_agent front'],
      ['invoke_agent front', undefined],
    ])
  })

  test("the host's callbacks run in their span, and in the async context of the query", async () => {
    const place = new AsyncLocalStorage<string>()
    const seen: unknown[] = []
    const see = (what: string) => {
      const span = trace.getSpan(context.active()) as unknown as { readonly name: string } | undefined
      seen.push([what, place.getStore(), span?.name])
    }
    const model: Model = {
      async *stream(request: ModelRequest) {
        await Promise.resolve()
        see('model')
        yield* request.messages.length === 1 ? calls(['look', {}]) : says('Done.')
      },
    }
    const runtime = await team(
      { first: model },
      { tools: { look: () => see('tool'), count: () => 1, pay: () => 1 } as never },
    )
    await place.run('here', () => runtime.runSpecialist('analyst', 'x').result())
    expect(seen).toEqual([
      ['model', 'here', 'chat first'],
      ['tool', 'here', 'execute_tool look'],
      ['model', 'here', 'chat first'],
    ])
  })
})

describe('failures', () => {
  const errors = () => takeSpans().map(({ name, error, attributes }) => [name, error, attributes['error.type']])

  test('a model that fails has a span for each try, and so has the one that is asked instead', async () => {
    const again = Object.assign(new Error('content-canary'), { retryable: true, retryAfterMs: 0 })
    const runtime = await team({ first: failing(3, again), second: failing(0, again) })
    expect(await runtime.runSpecialist('analyst', 'x').result()).toMatchObject({ status: 'completed' })
    const raw = takeRawSpans()
    expect(raw.map(({ name, status }) => [name, status.message])).toEqual([
      ['chat first', '_OTHER'],
      ['chat first', '_OTHER'],
      ['chat first', '_OTHER'],
      ['chat second', undefined],
      ['invoke_agent analyst', undefined],
    ])
    expect(everythingIn(raw)).not.toMatch(/canary/)
  })

  test('a failed run has its code on its span, and so have its running agents', async () => {
    const broken = failing(9, new Error('content-canary'))
    const runtime = await team({
      front: script(calls(['analyst', { task: 'x' }])),
      first: broken,
      second: broken,
    })
    expect(await runtime.query('x').result()).toMatchObject({ status: 'failed' })
    expect(errors()).toEqual([
      ['chat front', undefined, undefined],
      ['chat first', '_OTHER', '_OTHER'],
      ['chat second', '_OTHER', '_OTHER'],
      ['invoke_agent analyst', 'MODEL_FAILED', 'MODEL_FAILED'],
      ['invoke_agent front', 'MODEL_FAILED', 'MODEL_FAILED'],
    ])
  })

  test('a failed tool has its code on its span, for our own codes only', async () => {
    const first = script(calls(['look', {}]), calls(['count', {}]), says('Done.'))
    const tools = {
      look: async (_: unknown, { references }: { references: { resolve(id: string): Promise<unknown> } }) =>
        await references.resolve('content-canary'),
      count: () => {
        throw Object.assign(new Error('content-canary'), { code: 'CONTENT_CANARY' })
      },
      pay: () => 1,
    }
    const runtime = await team({ first }, { tools: tools as never })
    await runtime.runSpecialist('analyst', 'x').result()
    expect(errors().filter(([name]) => String(name).startsWith('execute_tool'))).toEqual([
      ['execute_tool look', 'NOT_FOUND', 'NOT_FOUND'],
      ['execute_tool count', '_OTHER', '_OTHER'],
    ])
  })

  test('a run that cannot begin has a span with the reason', async () => {
    const runtime = await team({})
    expect(await codeOf(() => runtime.runSpecialist('canary' as 'analyst', 'x').result())).toBe('SPEC_INVALID')
    expect(await codeOf(() => runtime.runs.resume(`run_${'a'.repeat(32)}`).result())).toBe('NOT_FOUND')
    expect(errors()).toEqual([
      ['invoke_agent', 'SPEC_INVALID', 'SPEC_INVALID'],
      ['invoke_agent', 'NOT_FOUND', 'NOT_FOUND'],
    ])
  })
})

describe('what is cut off', () => {
  /** A run whose model or tool never answers, once that was asked. */
  async function stuck(where: 'model' | 'tool', limits = {}) {
    let asked = () => {}
    const began = new Promise<void>((resolve) => {
      asked = resolve
    })
    const never = () => {
      asked()
      return new Promise<never>(() => {})
    }
    const model: Model = {
      async *stream() {
        if (where === 'model') await never()
        yield* calls(['look', {}])
      },
    }
    const runtime = await team({ first: model }, { tools: { look: never, count: never, pay: never } as never })
    const run = runtime.runSpecialist('analyst', { prompt: 'x', limits })
    await began
    return { runtime, run }
  }

  const ends = () =>
    takeSpans()
      .filter(({ name }) => !name.startsWith('bailiwick'))
      .map(({ name, error, attributes }) => [name, error, attributes['bailiwick.run.status']])

  test.each([
    ['model', 'chat first'],
    ['tool', 'execute_tool look'],
  ] as const)('a cancelled run ends its spans, that of a stuck %s too', async (where, name) => {
    const { run } = await stuck(where)
    run.cancel()
    expect(await run.result()).toMatchObject({ status: 'cancelled' })
    expect(ends().slice(-2)).toEqual([
      [name, 'CANCELLED', undefined],
      ['invoke_agent analyst', undefined, 'cancelled'],
    ])
  })

  test('so does a run whose time is over', async () => {
    const { run } = await stuck('tool', { maxDurationMs: 50 })
    expect(await run.result()).toMatchObject({ status: 'limited' })
    expect(ends().slice(-2)).toEqual([
      ['execute_tool look', 'CANCELLED', undefined],
      ['invoke_agent analyst', undefined, 'limited'],
    ])
  })

  test('so does a run whose runtime is closed', async () => {
    const { runtime, run } = await stuck('tool')
    await runtime.close()
    expect(await codeOf(() => run.result())).toBe('CLOSED')
    expect(ends().slice(-2)).toEqual([
      ['execute_tool look', 'CANCELLED', undefined],
      ['invoke_agent analyst', 'CLOSED', undefined],
    ])
  })
})

describe('content', () => {
  test('is recorded when the host asks for it, and still no tenant', async () => {
    const models = {
      front: script(calls(['analyst', { task: 'Look there' }]), says('Seen.')),
      first: script(calls(['look', { at: 'home' }]), says('Home.')),
    }
    const runtime = await team(models, { telemetry: { recordContent: true } })
    await runtime.query('Where?').result()
    const raw = takeRawSpans()
    expect(everythingIn(raw)).not.toMatch(/(tenant|version)-canary/)
    const of = (name: string) => raw.find((span) => span.name === name)?.attributes ?? {}
    const parsed = (name: string, attribute: string) => JSON.parse(of(name)[attribute] as string) as unknown
    expect(parsed('execute_tool look', 'gen_ai.tool.call.arguments')).toEqual({ at: 'home' })
    expect(parsed('execute_tool look', 'gen_ai.tool.call.result')).toBe('content-canary')
    expect(parsed('chat first', 'gen_ai.system_instructions')).toEqual([{ type: 'text', content: 'content-canary' }])
    expect(parsed('chat first', 'gen_ai.output.messages')).toEqual([
      {
        role: 'assistant',
        parts: [{ type: 'tool_call', id: 'call-0', name: 'look', arguments: { at: 'home' } }],
        finish_reason: 'tool-calls',
      },
    ])
    const said = (content: string) => [{ type: 'text', content }]
    expect(parsed('invoke_agent analyst', 'gen_ai.input.messages')).toMatchObject([{ parts: said('Look there') }])
    expect(parsed('invoke_agent analyst', 'gen_ai.output.messages')).toMatchObject([{ parts: said('Home.') }])
    expect(parsed('invoke_agent front', 'gen_ai.input.messages')).toMatchObject([{ parts: said('Where?') }])
    expect(parsed('invoke_agent front', 'gen_ai.output.messages')).toMatchObject([{ parts: said('Seen.') }])
  })

  test('nothing of an invalid model event is on a span', async () => {
    const wrong = [{ type: 'finish', reason: 'content-canary', usage: { inputTokens: 'content-canary' } }]
    const runtime = await team({ first: script(wrong as never), second: script() })
    await runtime.runSpecialist('analyst', 'x').result()
    const raw = takeRawSpans()
    expect(raw.map(({ name }) => name)).toContain('invoke_agent analyst')
    expect(everythingIn(raw)).not.toMatch(/canary/)
  })

  test('a warning is on the span of its answer, and tokens of a broken-off answer count for its agent', async () => {
    const told = [{ type: 'warning', message: 'no schema' } as const, ...says('Done.')]
    let tries = 0
    const flaky: Model = {
      async *stream() {
        tries += 1
        if (tries > 1) return yield* told
        yield { type: 'usage', usage: { inputTokens: 100 } }
        throw Object.assign(new Error('cut off'), { retryable: true, retryAfterMs: 0 })
      },
    }
    const runtime = await team({ first: flaky })
    expect(await runtime.runSpecialist('analyst', 'x').result()).toMatchObject({ status: 'completed' })
    const [, chat, agent] = takeSpans()
    expect(chat?.attributes).toMatchObject({ 'bailiwick.model.warnings': ['no schema'] })
    expect(agent?.attributes).toMatchObject({ 'gen_ai.usage.input_tokens': 110 })
  })
})
