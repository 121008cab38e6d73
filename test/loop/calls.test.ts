import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import {
  createRuntime,
  defineReference,
  defineRuntime,
  defineSpecialist,
  defineTool,
  type Model,
  type ModelEvent,
  type RunEvent,
  type Tool,
  type ToolContext,
  type ToolHandler,
} from '../../ts/index.ts'
import { openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { calls, says, script, usage } from './models.ts'

const object = { type: 'object' } as const

/** What one call of a tool comes to, as the model is told, and the run's events. */
async function callOnce(handler: ToolHandler, options: Partial<Tool> & { input?: never } = {}, given: unknown = {}) {
  const tool = defineTool({ name: 'act', description: 'Acts', effects: 'read', ...options, input: object } as never)
  const agent = defineSpecialist({ name: 'doer', model: 'test/m', prompt: 'Do.', tools: [tool] })
  const model = script(calls(['act', given]), says('Done.'))
  const spec = defineRuntime({ tenant: acme, agents: [agent] })
  const tools = { act: handler } as never
  const runtime = await createRuntime(spec, { store: await openFresh('memory'), models: { test: model }, tools })
  const run = runtime.query('Go')
  const result = await run.result()
  const events: RunEvent[] = []
  for await (const event of run) events.push(event)
  const part = model.requests[1]?.messages.at(-1)?.parts[0] as { result: unknown; isError?: boolean }
  return { result, events, part, runtime }
}

describe('what tools answer', () => {
  it('small results stay inline, large ones, bytes and references are kept once and glimpsed', async () => {
    expect((await callOnce(() => ({ n: 1 }))).part.result).toEqual({ n: 1 })
    expect((await callOnce(() => undefined)).part.result).toBeNull()
    expect((await callOnce(() => 'x')).part.result).toBe('x')
    const rows = Array.from({ length: 500 }, (_, n) => ({ n, title: `Row ${n}` }))
    const large = await callOnce(() => rows)
    const told = large.part.result as { reference: string }
    expect(told).toMatchObject({ type: 'result', glimpse: { rows: 500 } })
    expect((await large.runtime.references.resolve(told.reference)).json()).toEqual(rows)
    expect(large.events.map(({ type }) => type)).toContain('reference.created')
    const bytes = await callOnce(() => new Uint8Array([1, 2, 3]))
    expect(bytes.part.result).toMatchObject({ byteLength: 3, glimpse: { bytes: 3 } })
    const text = await callOnce(() => 'long '.repeat(2000))
    expect(text.part.result).toMatchObject({ byteLength: 10_000 })
    const given = await callOnce((_, { references }) => references.put('own', { a: 1 }))
    expect(given.part.result).toMatchObject({ type: 'own', glimpse: { a: 1 } })
    expect(given.events.map(({ type }) => type)).not.toContain('reference.created')
  })

  it('a result is passed to the next tool by its id, and a forged id is not found', async () => {
    const table = defineReference({ name: 'table' })
    const load = defineTool({ name: 'load', description: 'x', effects: 'read', input: object, result: table })
    const count = defineTool({
      name: 'count',
      description: 'x',
      effects: 'read',
      input: { type: 'object', properties: { rows: { type: 'string' } } },
      references: { rows: table },
    })
    let id = ''
    const model = script(calls(['load', {}]), [], calls(['count', { rows: `ref_${'a'.repeat(32)}` }]), says('Done.'))
    const stream: Model['stream'] = async function* (request) {
      const last = request.messages.at(-1)?.parts[0]
      if (last?.type === 'tool-result' && id === '') {
        id = (last.result as { reference: string }).reference
        model.stream(request)[Symbol.asyncIterator]().next()
        yield* calls(['count', { rows: id }])
        return
      }
      yield* model.stream(request)
    }
    const agent = defineSpecialist({ name: 'doer', model: 'test/m', prompt: 'Do.', tools: [load, count] })
    const runtime = await createRuntime(defineRuntime({ tenant: acme, agents: [agent] }), {
      store: await openFresh('memory'),
      models: { test: { stream } },
      tools: {
        load: () => 'row\n'.repeat(5000),
        count: async ({ rows }: { rows: string }, { references }: ToolContext) =>
          (await references.resolve(rows)).text().split('\n').length,
      } as never,
    })
    const run = runtime.query('Go')
    expect(await run.result()).toMatchObject({ status: 'completed' })
    const events: RunEvent[] = []
    for await (const event of run) events.push(event)
    expect(events.filter(({ type }) => type === 'tool.completed').at(1)).toMatchObject({ result: 5001 })
    expect(events.find(({ type }) => type === 'tool.failed')).toMatchObject({ error: { code: 'REFERENCE_NOT_FOUND' } })
  })

  it('whatever a handler throws or answers is an outcome of the call', async () => {
    const cycle: Record<string, unknown> = {}
    cycle['self'] = cycle
    const wrong: [ToolHandler, string][] = [
      [() => Promise.reject(new Error('broken')), 'TOOL_FAILED'],
      [
        () => {
          throw undefined
        },
        'TOOL_FAILED',
      ],
      [() => 10n, 'INVALID_INPUT'],
      [() => cycle, 'INVALID_INPUT'],
      [() => Symbol('x'), 'INVALID_INPUT'],
      [() => '\ud800', ''],
      [() => ({ text: '\ud800' }), 'RESULT_INVALID'],
      [() => JSON.parse('{"__proto__":1}'), 'RESULT_INVALID'],
      [() => ({ id: `ref_${'a'.repeat(32)}`, type: 'x', mediaType: 'a/b', byteLength: 1 }), 'RESULT_INVALID'],
      [() => JSON.parse('['.repeat(500) + ']'.repeat(500)), 'RESULT_INVALID'],
      [() => 'x'.repeat((64 << 20) + 1), 'INVALID_INPUT'],
      [(_, { references }) => references.resolve('ref_x'), 'NOT_FOUND'],
      [() => new Float64Array(2), 'INVALID_INPUT'],
    ]
    for (const [handler, code] of wrong) {
      const { part, result } = await callOnce(handler)
      expect(result.status).toBe('completed')
      if (code === '') expect(part).not.toHaveProperty('isError')
      else expect([part.isError, part.result]).toMatchObject([true, { error: { code } }])
    }
  })

  it('a call that takes too long is given up, and its signal is aborted', async () => {
    let aborted: Promise<unknown> | undefined
    const { part } = await callOnce(
      (_, { signal }) => {
        aborted = new Promise((resolve) => signal.addEventListener('abort', resolve))
        // It answers after all, which nobody hears.
        return aborted.then(() => 'late')
      },
      { timeoutMs: 20 },
    )
    expect(part.result).toMatchObject({ error: { code: 'TIMEOUT' } })
    await aborted
  })

  it('a wrong call is returned to the model as a correctable error', async () => {
    const tool = defineTool({
      name: 'act',
      description: 'Acts',
      effects: 'read',
      input: z.object({ n: z.number().max(5), at: z.string().default('now') }),
    })
    const agent = defineSpecialist({ name: 'doer', model: 'test/m', prompt: 'Do.', tools: [tool] })
    const model = script(
      calls(['act', { n: 'one' }], ['act', '{"n":'], ['other', {}], ['act', { n: 9 }]),
      calls(['act', { n: 4 }]),
      says('Done.'),
    )
    const given: unknown[] = []
    const runtime = await createRuntime(defineRuntime({ tenant: acme, agents: [agent] }), {
      store: await openFresh('memory'),
      models: { test: model },
      tools: { act: (input) => given.push(input) },
    })
    expect(await runtime.query('Go').result()).toMatchObject({ status: 'completed' })
    const codes = model.requests[1]?.messages
      .at(-1)
      ?.parts.map((part) => part.type === 'tool-result' && (part.result as { error: { code: string } }).error.code)
    expect(codes).toEqual(['INPUT_INVALID', 'INPUT_INVALID', 'TOOL_UNKNOWN', 'INPUT_INVALID'])
    expect(given).toEqual([{ n: 4, at: 'now' }])
  })

  it('calls of one answer run together, in the async context of the query', async () => {
    const request = new AsyncLocalStorage<string>()
    let arrived = 0
    let release: () => void = () => {}
    const both = new Promise<void>((resolve) => {
      release = resolve
    })
    const tool = defineTool({ name: 'act', description: 'Acts', input: object })
    const agent = defineSpecialist({ name: 'doer', model: 'test/m', prompt: 'Do.', tools: [tool] })
    const contexts: unknown[] = []
    const keys = new Set<string>()
    const answers = script(calls(['act', { n: 1 }], ['act', { n: 2 }]), says('Done.'))
    const runtime = await createRuntime(defineRuntime({ tenant: acme, agents: [agent] }), {
      store: await openFresh('memory'),
      models: {
        test: {
          stream(asked) {
            contexts.push(request.getStore())
            return answers.stream(asked)
          },
        },
      },
      tools: {
        act: async (_, context) => {
          contexts.push(request.getStore())
          keys.add(context.idempotencyKey)
          expect(Object.isFrozen(context)).toBe(true)
          arrived += 1
          if (arrived === 2) release()
          await both
        },
      },
    })
    const result = await request.run('mine', () => runtime.query('Go').result())
    expect(result.status).toBe('completed')
    expect(contexts).toEqual(['mine', 'mine', 'mine', 'mine'])
    expect(keys.size).toBe(2)
  })
})

describe('what models answer', () => {
  const agent = defineSpecialist({ name: 'doer', model: ['one/a', 'two/b'], prompt: 'Do.' })
  const spec = defineRuntime({ tenant: acme, agents: [agent] })

  async function ask(one: Model, two: Model = script()) {
    const runtime = await createRuntime(spec, { store: await openFresh('memory'), models: { one, two } })
    const run = runtime.query('Go')
    const events: RunEvent[] = []
    for await (const event of run) events.push(event)
    return { result: await run.result(), events }
  }

  it('a fallback model is asked until an answer has begun, and a failure is a result', async () => {
    const two = script(says('From two.'))
    expect((await ask(script(), two)).result).toMatchObject({ text: 'From two.', usage: { 'two/b': {} } })
    const begun: Model = {
      async *stream() {
        yield { type: 'text.delta', id: '0', delta: 'Half' }
        throw Object.assign(new Error('cut off'), { retryable: false })
      },
    }
    const failed = (await ask(begun, script(says('never')))).result
    expect(failed).toMatchObject({
      status: 'failed',
      error: { code: 'MODEL_FAILED', message: 'cut off', retryable: false },
    })
  })

  it('a retryable failure is retried after the stated delay', async () => {
    let tries = 0
    const flaky: Model = {
      async *stream() {
        tries += 1
        if (tries === 1) throw Object.assign(new Error('slow down'), { retryable: true, retryAfterMs: 1 })
        if (tries === 2) {
          yield { type: 'text.delta', id: '0', delta: 'Never finished' }
          return
        }
        yield* says('Third time.')
      },
    }
    const { result, events } = await ask(flaky)
    expect([tries, result]).toMatchObject([3, { text: 'Third time.' }])
    const messages = new Set(events.flatMap((event) => (event.type === 'text.delta' ? event.messageId : [])))
    expect(events.filter(({ type }) => type === 'model.completed')).toHaveLength(1)
    expect(messages.size).toBeGreaterThanOrEqual(1)
    const busy: Model = {
      // biome-ignore lint/correctness/useYield: it fails before
      async *stream() {
        throw Object.assign(new Error('tomorrow'), { retryable: true, retryAfterMs: 86_400_000 })
      },
    }
    expect((await ask(busy, busy)).result).toMatchObject({ error: { retryable: true, retryAfterMs: 86_400_000 } })
  })

  it('an invalid ModelEvent fails its run and nothing else', async () => {
    const finish = { type: 'finish', reason: 'stop', usage } as const
    const wrong: unknown[][] = [
      [null],
      ['text'],
      [{ type: 'unknown' }],
      [{ type: 'text.delta', id: '0' }],
      [{ type: 'text.delta', id: '0', delta: 10n }],
      [{ type: 'finish', reason: 'whatever', usage }],
      [{ type: 'text.delta', id: '0', delta: 'x'.repeat(5 << 20) }, finish],
    ]
    for (const events of wrong) {
      const model: Model = {
        async *stream() {
          yield* events as ModelEvent[]
        },
      }
      expect((await ask(model, model)).result).toMatchObject({ status: 'failed', error: { code: 'MODEL_FAILED' } })
    }
    for (const stream of [() => undefined, () => 5, () => ({}), async () => [], undefined]) {
      const model = { stream } as never
      if (stream === undefined) continue
      expect((await ask(model, model)).result).toMatchObject({ status: 'failed', error: { code: 'MODEL_FAILED' } })
    }
    const lone: Model = {
      async *stream() {
        yield { type: 'text.delta', id: '0', delta: 'a\ud800\u0000b' }
        yield finish
      },
    }
    expect((await ask(lone)).result).toMatchObject({ text: 'a\ufffd\u0000b' })
  })

  it('opaque metadata and reasoning are replayed unchanged', async () => {
    const tool = defineTool({ name: 'act', description: 'Acts', effects: 'read', input: object })
    const thinker = defineSpecialist({ name: 'doer', model: 'one/a', prompt: 'Do.', tools: [tool] })
    const model = script(
      [
        { type: 'reasoning.delta', id: 'r', delta: 'Hm' },
        { type: 'reasoning.delta', id: 'r', delta: 'm.', metadata: { signature: 'abc' } },
        { type: 'tool.call', callId: 'c', tool: 'act', input: '{}', metadata: { n: 1 } },
        { type: 'finish', reason: 'tool-calls', usage },
      ],
      says('Done.'),
    )
    const runtime = await createRuntime(defineRuntime({ tenant: acme, agents: [thinker] }), {
      store: await openFresh('memory'),
      models: { one: model },
      tools: { act: () => 1 },
    })
    const run = runtime.query('Go')
    await run.result()
    expect(model.requests[1]?.messages[1]?.parts).toEqual([
      { type: 'reasoning', text: 'Hmm.', metadata: { signature: 'abc' } },
      { type: 'tool-call', callId: 'c', tool: 'act', input: {}, metadata: { n: 1 } },
    ])
    const deltas: string[] = []
    for await (const event of run) if (event.type === 'reasoning.delta') deltas.push(event.delta)
    expect(deltas.join('')).toBe('Hmm.')
  })
})
