import fc from 'fast-check'
import { expect, it, onTestFinished } from 'vitest'
import {
  createRuntime,
  defineRuntime,
  defineSpecialist,
  defineTool,
  type Message,
  type Model,
  type ModelEvent,
  type ModelRequest,
  type Runtime,
  type Tool,
} from '../../ts/index.ts'
import { openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { calls, eventsOf, gate, sayingModel, says, script, usage } from './models.ts'

const input = { type: 'object' } as const
const look = defineTool({ name: 'look', description: 'Looks', effects: 'read', input })
const pay = defineTool({ name: 'pay', description: 'Pays', input })

async function runtimeOf(model: Model, tools: readonly Tool[] = [look, pay], made: unknown[] = []): Promise<Runtime> {
  const agent = defineSpecialist({ name: 'doer', model: 'test/m', prompt: 'Do.', tools })
  const spec = defineRuntime({ tenant: acme, agents: [agent] })
  const handle = (given: unknown) => {
    made.push(given)
    return 'done'
  }
  return await createRuntime(spec, {
    store: await openFresh('memory'),
    models: { test: model },
    tools: Object.fromEntries(tools.map(({ name }) => [name, handle])) as never,
  })
}

const finish = { type: 'finish', reason: 'stop', usage } as const

it.each<readonly [string, RegExp, unknown[] | Model]>([
  ['an event that is nothing', /event 1 must be an object, not undefined/, [undefined]],
  ['an event that is a text', /event 2 must be an object, not a string/, [{ type: 'warning', message: 'w' }, 'x']],
  ['no type', /event 1: type is missing; it must be one of text\.delta, /, [{}]],
  [
    'an unknown type',
    /event 1 \(text\): type must be one of .*, not "text"|event 1: type .*, not "text"/,
    [{ type: 'text' }],
  ],
  [
    'a delta without an id',
    /event 1 \(text\.delta\): id is missing; it must be a string/,
    [{ type: 'text.delta', delta: '' }],
  ],
  [
    'a delta that is a number',
    /event 3 \(text\.delta\): delta must be a string, not a number/,
    [
      { type: 'text.delta', id: '', delta: '' },
      { type: 'usage', usage },
      { type: 'text.delta', id: '', delta: 7 },
    ],
  ],
  [
    'a delta that is a bigint',
    /event 1 \(reasoning\.delta\): delta must be a string, not a bigint/,
    [{ type: 'reasoning.delta', id: '', delta: 7n }],
  ],
  ['an opaque part without a provider', /event 1 \(opaque\): provider is missing/, [{ type: 'opaque', data: 1 }]],
  ['an opaque part without data', /event 1 \(opaque\): data is missing/, [{ type: 'opaque', provider: 'p' }]],
  [
    'a warning without a message',
    /event 1 \(warning\): message must be a string, not an object/,
    [{ type: 'warning', message: {} }],
  ],
  [
    'a finish without a reason',
    /event 1 \(finish\): reason is missing; it must be one of stop, length, /,
    [{ type: 'finish', usage }],
  ],
  [
    'an unknown reason',
    /event 1 \(finish\): reason must be one of .*, not "end_turn"/,
    [{ ...finish, reason: 'end_turn' }],
  ],
  [
    'a promise of a stream',
    /stream gave a Promise, nothing that can be iterated\. Write it as async \*stream/,
    { stream: async () => [] } as never,
  ],
  ['no stream', /What models\.test returned is no model: it has no stream function/, (() => ({})) as never],
  [
    'a stream that is no iterable',
    /stream gave an object, nothing that can be iterated/,
    { stream: () => ({}) } as never,
  ],
  [
    'an iterator that gives no object',
    /next\(\) of its stream gave undefined/,
    { stream: () => ({ [Symbol.asyncIterator]: () => ({ next: async () => undefined }) }) } as never,
  ],
])('%s is reported with the event, the field and the value', async (_, told, wrong) => {
  const model: Model = Array.isArray(wrong) ? sayingModel(() => wrong as ModelEvent[]) : wrong
  const result = await (await runtimeOf(model)).query('Go').result()
  expect(result).toMatchObject({
    status: 'failed',
    error: { code: 'MODEL_FAILED', message: expect.stringMatching(told), retryable: false },
  })
})

it('names, ids and arguments are reported to the model, and the run continues', async () => {
  const long = 'id'.repeat(2000)
  const written: ModelEvent[] = [
    { type: 'tool.call', callId: '', tool: 'x<|channel|>json', input: '{}' },
    { type: 'tool.call', callId: '', tool: '__proto__', input: '{}' },
    { type: 'tool.call', callId: long, tool: 'look', input: '{"a":' },
    { type: 'tool.call', callId: long, tool: 'look', input: '{"a":1}' },
    { type: 'finish', reason: 'tool-calls', usage: { inputTokens: Number.NaN, cost: 1 } as never },
  ]
  const model = script(written, says('Done.'), says('Again.'))
  const runtime = await runtimeOf(model)
  const first = await runtime.query('Go').result()
  expect(first).toMatchObject({ status: 'completed', text: 'Done.', finishReason: 'stop' })
  const told = model.requests[1]?.messages.at(-1)?.parts.map((part) => part.type === 'tool-result' && part.result)
  const unknown = { error: { code: 'TOOL_UNKNOWN', message: 'There is no such tool. The tools are: look, pay.' } }
  const unread = { error: { code: 'INPUT_INVALID', message: expect.stringMatching(/cut off or not JSON.*EOF/) } }
  expect(told).toEqual([unknown, unknown, unread, 'done'])
  const next = await runtime.query({ prompt: 'Go on', threadId: first.threadId }).result()
  expect(next).toMatchObject({ status: 'completed', text: 'Again.' })
})

const anything = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: 'binary' }) },
  // Half characters, too.
  fc.array(fc.integer({ min: 0xd7f0, max: 0xe010 })).map((units) => String.fromCharCode(...units)),
  fc.constantFrom('', '__proto__', 'constructor', 'functions.look', 'look', '{', '{"a":1}', 'call_0'),
  fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true, withSparseArray: true }),
  fc.func(fc.anything()),
  fc.integer({ min: 95, max: 130 }).map((depth) => JSON.parse('['.repeat(depth) + ']'.repeat(depth))),
  fc.constant(Object.defineProperty({}, 'x', { get: () => expect.unreachable(), enumerable: true })),
)
const metadata = fc.option(fc.record({ metadata: anything }), { nil: {} })
const answer = fc.tuple(
  fc.array(
    fc.oneof(
      fc
        .tuple(fc.record({ callId: anything, tool: anything, input: anything }, { requiredKeys: [] }), metadata)
        .map(([call, more]) => ({ type: 'tool.call', ...call, ...more })),
      fc
        .tuple(fc.constantFrom('text.delta', 'reasoning.delta'), fc.string(), fc.string({ unit: 'binary' }), metadata)
        .map(([type, id, delta, more]) => ({ type, id, delta, ...more })),
      fc.record({
        type: fc.constant('opaque'),
        provider: fc.constant('p'),
        data: anything.filter((data) => data !== undefined),
      }),
      fc.record({ type: fc.constant('usage'), usage: anything }),
      fc.record({ type: fc.constant('warning'), message: fc.constantFrom('', 'generated') }),
    ),
    { maxLength: 6 },
  ),
  fc.record(
    {
      reason: fc.constantFrom('stop', 'length', 'tool-calls', 'content-filter', 'pause', 'other'),
      usage: anything,
      metadata: anything,
    },
    { requiredKeys: ['reason'] },
  ),
)

it('generated: whatever a model writes into its fields, its run completes and its thread continues', async () => {
  let said: ModelEvent[][] = []
  let asked: ModelRequest[] = []
  const runtime = await runtimeOf(
    sayingModel((request) => {
      asked.push(request)
      return said.shift() ?? says('Done.')
    }),
  )
  let length = 0
  await fc.assert(
    fc.asyncProperty(fc.array(answer, { maxLength: 3 }), async (answers) => {
      said = answers.map(([events, end]) => [...events, { type: 'finish', ...end }] as ModelEvent[])
      asked = []
      const result = await runtime.query({ prompt: 'Go', threadId: 'one' }).result()
      expect(result).toMatchObject({ status: 'completed' })
      const { items } = await runtime.threads.messages('one', { limit: 1000 })
      expect(items.length).toBeGreaterThanOrEqual(length + 2)
      expect(JSON.stringify(items.slice(length))).not.toContain('too large for a thread')
      length = items.length
      if (length < 900) return
      await runtime.threads.delete('one')
      length = 0
    }),
    { numRuns: 150 },
  )
})

it('text before a cancel is in the result, the thread and the next turn; a message written again takes it back', async () => {
  const said = gate()
  let turn = 0
  const requests: ModelRequest[] = []
  const model: Model = {
    async *stream(request) {
      requests.push(request)
      turn += 1
      if (turn === 1) {
        yield { type: 'usage', usage: { inputTokens: 100 } }
        yield { type: 'text.delta', id: 't', delta: 'Half a ' }
        await new Promise((_, reject) => request.signal.addEventListener('abort', reject))
      }
      if (turn === 2) {
        yield { type: 'text.delta', id: 't', delta: 'Abandoned' }
        await said.opened
        return
      }
      yield* says('Whole.')
    },
  }
  const runtime = await runtimeOf(model)
  const run = runtime.query('Go')
  for await (const event of run) if (event.type === 'text.delta') run.cancel()
  const result = await run.result()
  expect(result).toMatchObject({ status: 'cancelled', text: 'Half a ', usage: { 'test/m': { inputTokens: 100 } } })
  expect((await runtime.usage()).tokens).toEqual(result.usage)
  const kept: Message[] = [...(await runtime.threads.messages(result.threadId)).items]
  expect(kept.map(({ role, interrupted }) => [role, interrupted])).toEqual([
    ['user', undefined],
    ['assistant', true],
  ])
  const again = runtime.query({ prompt: 'Go on', threadId: result.threadId })
  const shown = new Map<string, string>()
  for await (const event of again) {
    if (event.type === 'text.delta') {
      shown.set(event.messageId, (shown.get(event.messageId) ?? '') + event.delta)
      said.open()
    } else if (event.type === 'message.discarded') shown.delete(event.messageId)
  }
  expect([...shown.values()]).toEqual(['Whole.'])
  expect(await again.result()).toMatchObject({ status: 'completed', text: 'Whole.' })
  const whole = JSON.stringify(requests[1]?.messages)
  expect(whole).toContain('Half a ')
})

it('a warning is on the answer, and a warning of the process once', async () => {
  const warnings: Error[] = []
  const note = (warning: Error) => void warnings.push(warning)
  process.on('warning', note)
  onTestFinished(() => void process.off('warning', note))
  const model = sayingModel(() => [{ type: 'warning', message: 'no schema for P6' }, ...says('x')])
  const runtime = await runtimeOf(model)
  for (let time = 0; time < 2; time += 1) {
    const completed = (await eventsOf(runtime.query('Go'))).find(({ type }) => type === 'model.completed')
    expect(completed).toMatchObject({ warnings: ['no schema for P6'] })
  }
  await new Promise(setImmediate)
  const told = warnings.filter(({ message }) => message.includes('no schema for P6'))
  expect(told.map((warning) => [warning.message, (warning as { code?: string }).code])).toEqual([
    ['The model test/m did not do as it was asked: no schema for P6', 'BAILIWICK_MODEL_WARNING'],
  ])
})

it('a write call that appears twice is made once, unless the tool allows repeats', async () => {
  const often = defineTool({ name: 'often', description: 'Pays', input, allowRepeats: true })
  for (const [tool, times] of [
    [pay, 1],
    [look, 2],
    [often, 2],
  ] as const) {
    const made: unknown[] = []
    const model = script(calls([tool.name, { n: 1 }], [tool.name, '{ "n": 1.0 }']), says('Done.'))
    const runtime = await runtimeOf(model, [tool], made)
    expect(await runtime.query('Go').result()).toMatchObject({ status: 'completed' })
    expect([tool.name, made.length]).toEqual([tool.name, times])
    const told = JSON.stringify(model.requests[1]?.messages.at(-1))
    expect(told.includes('the same call as call-0')).toBe(times === 1)
  }
  // Nothing is said of it in a dump where nothing was said of it.
  expect(JSON.stringify(pay)).not.toContain('allowRepeats')
})

it('a model that pauses is asked again with its answer so far', async () => {
  const model = script(
    [
      { type: 'text.delta', id: 't', delta: 'One. ' },
      { type: 'opaque', provider: 'p', data: { id: 's' } },
      { type: 'finish', reason: 'pause', usage },
    ],
    says('Two.'),
  )
  const runtime = await runtimeOf(model)
  const result = await runtime.query('Go').result()
  expect(result).toMatchObject({ status: 'completed', text: 'One. Two.' })
  expect((await runtime.threads.messages(result.threadId)).items[1]?.parts[1]).toEqual({
    type: 'opaque',
    provider: 'p',
    data: { id: 's' },
  })
})
