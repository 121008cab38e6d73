import { join } from 'node:path'
import { inputRequired, McpServer, type ServerContext } from '@modelcontextprotocol/server'
import { type McpClient, type McpToolsOptions, mcpTools } from 'bailiwick/mcp'
import { testStore, testToolContext } from 'bailiwick/testing'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  createRuntime,
  defineRuntime,
  defineSpecialist,
  type Run,
  type RunEvent,
  type RunResult,
  type Store,
  type Wait,
} from '../../ts/index.ts'
import { calls, sayingModel, says } from '../loop/models.ts'
import { codeOf } from '../support/failures.ts'
import { freshFolder, openFresh, runtimeFor } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { connectedAsking } from './support.ts'

type Asking = Parameters<McpServer['registerTool']>[2]
type Answer = Awaited<ReturnType<Asking>>

const text = (answer: unknown): Answer => ({ content: [{ type: 'text', text: JSON.stringify(answer) }] })
const form = (message: string, properties: object = { name: { type: 'string', minLength: 2 } }) =>
  inputRequired.elicit({
    message,
    requestedSchema: { type: 'object', properties, required: Object.keys(properties) } as never,
  })

/** A server whose tool `book` does what a function says with the responses and the state of each call. */
function bookingServer(
  book: (responses: object | undefined, state: string | undefined) => unknown,
  output?: z.ZodType,
) {
  return () => {
    const server = new McpServer({ name: 'travel', version: '1.0.0' })
    const config = { description: 'Books', inputSchema: z.object({ seats: z.number() }) }
    const handler = async (_: unknown, { mcpReq }: ServerContext) =>
      book(mcpReq.inputResponses, mcpReq.requestState() as string | undefined) as Answer
    server.registerTool('book', output === undefined ? config : { ...config, outputSchema: output as never }, handler)
    return server
  }
}

/** Asks who travels, and then answers with what it got. */
const whoTravels = bookingServer((responses, state) =>
  responses === undefined
    ? inputRequired({ requestState: 'opaque-1', inputRequests: { who: form('Who travels?') } })
    : text({ responses, state }),
)

/** A runtime whose model books once, and then says what came of it. */
async function clerk(store: Store | string, client: McpClient, options: McpToolsOptions = {}) {
  const { tools, handlers } = await mcpTools(client, options)
  const model = sayingModel(({ messages }) =>
    messages.at(-1)?.role === 'tool' ? says('Done.') : calls(['book', { seats: 2 }]),
  )
  const agents = [defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.', tools })]
  return await createRuntime(defineRuntime({ tenant: acme, agents }), {
    store,
    models: { test: model },
    tools: handlers,
  })
}

function waiting(result: RunResult<unknown>): Wait {
  if (result.status !== 'suspended') throw new Error(`It is ${result.status}: ${JSON.stringify(result)}`)
  return result.waits[0] as Wait
}

/** How the call of a run ended: its result, or its failure. */
async function endOf(run: AsyncIterable<RunEvent>): Promise<unknown> {
  let end: unknown
  for await (const event of run) {
    if (event.type === 'tool.completed') end = event.result
    if (event.type === 'tool.failed') end = event.error
  }
  return typeof end === 'string' ? JSON.parse(end) : end
}

/** Settles what the call of a new run waits for, and tells how it ended. */
async function bookedWith(
  client: McpClient,
  outcome: Parameters<Awaited<ReturnType<typeof clerk>>['waits']['settle']>[1],
) {
  const runtime = await clerk(await openFresh('memory'), client)
  const run = runtime.query('Book it')
  const wait = waiting(await run.result())
  const shown = await runtime.waits.get(wait.waitId)
  await runtime.waits.settle(wait.waitId, outcome)
  return { shown, end: await endOf(runtime.runs.resume(run.runId)) }
}

describe('a tool whose server asks for input', () => {
  test.each(['memory', 'sled'] as const)(
    'waits, and goes on in another runtime, by another connection: %s',
    async (engine) => {
      const url = engine === 'sled' ? `sled:${join(freshFolder(), 'store')}` : await openFresh('memory')
      const first = await clerk(url, await connectedAsking(whoTravels))
      const run = first.query('Book it')
      const wait = waiting(await run.result())
      expect(wait).toMatchObject({ kind: 'answer', tool: 'book', status: 'open' })
      expect(await first.waits.get(wait.waitId)).toMatchObject({
        question: 'Who travels?',
        schema: { type: 'object', properties: { name: { type: 'string', minLength: 2 } }, required: ['name'] },
      })
      await first.close()

      const second = await clerk(url, await connectedAsking(whoTravels))
      expect(await codeOf(() => second.waits.settle(wait.waitId, { value: { name: 'x' } }))).toBe('INVALID_INPUT')
      await second.waits.settle(wait.waitId, { value: { name: 'Kim' } }, { actor: 'kim' })
      expect(await endOf(second.runs.resume(run.runId))).toEqual({
        responses: { who: { action: 'accept', content: { name: 'Kim' } } },
        state: 'opaque-1',
      })
      await second.close()
    },
  )

  test.each([
    ['no', 'decline'],
    ['CANCEL', 'cancel'],
  ])('the server learns of an answer that is the error %s: %s', async (code, action) => {
    const { end } = await bookedWith(await connectedAsking(whoTravels), { error: { code, message: 'x' } })
    expect(end).toEqual({ responses: { who: { action } }, state: 'opaque-1' })
  })

  test('a tool with a schema of its output asks, and its output is checked', async () => {
    const output = z.object({ booked: z.boolean() })
    for (const [booked, expected] of [
      [true, { booked: true }],
      ['yes', { code: 'RESULT_INVALID' }],
    ]) {
      const client = await connectedAsking(
        bookingServer((responses) => {
          if (responses === undefined) return inputRequired({ inputRequests: { who: form('Who?') } })
          // The server checks what it says, so that the wrong output is put in behind its back.
          return { content: [], structuredContent: { booked: true } }
        }, output),
      )
      const callTool = client.callTool.bind(client)
      client.callTool = async (params, options) => {
        const result = await callTool(params, options)
        return 'structuredContent' in result ? { ...result, structuredContent: { booked } } : result
      }
      const { end } = await bookedWith(client, { value: { name: 'Kim' } })
      expect(end).toMatchObject(expected as object)
    }
  })

  test('several requests are one question, whose answer has each under its key', async () => {
    const client = await connectedAsking(
      bookingServer((responses) =>
        responses === undefined
          ? inputRequired({
              inputRequests: {
                who: form('Who travels?'),
                pay: inputRequired.elicitUrl({ message: 'Pay there.', url: 'https://pay.example/1' }),
                bag: inputRequired.elicitUrl({ message: 'Bags?', url: 'https://pay.example/2' }),
              },
            })
          : text(responses),
      ),
    )
    const { shown, end } = await bookedWith(client, { value: { who: { name: 'Kim' }, pay: 'done', bag: 'cancel' } })
    expect(shown.question).toBe(
      'who: Who travels?\npay: Pay there.\nhttps://pay.example/1\nbag: Bags?\nhttps://pay.example/2',
    )
    expect(shown.schema).toMatchObject({ required: ['who', 'pay', 'bag'], additionalProperties: false })
    expect(end).toEqual({
      who: { action: 'accept', content: { name: 'Kim' } },
      pay: { action: 'accept' },
      bag: { action: 'cancel' },
    })
  })

  test.each([
    ['done', 'accept'],
    ['cancel', 'cancel'],
  ])('an address to go to is a question with choices: %s is %s', async (value, action) => {
    const client = await connectedAsking(
      bookingServer((responses) =>
        responses === undefined
          ? inputRequired({
              inputRequests: { pay: inputRequired.elicitUrl({ message: 'Pay.', url: 'https://a.example' }) },
            })
          : text(responses),
      ),
    )
    const { shown, end } = await bookedWith(client, { value })
    expect(shown).toMatchObject({ question: 'Pay.\nhttps://a.example', choices: ['done', 'cancel'] })
    expect(end).toEqual({ pay: { action } })
  })

  test('a server may ask again, each time with a state of its own, and at most 10 times', async () => {
    const seen: unknown[] = []
    const client = await connectedAsking(
      bookingServer((responses, state) => {
        seen.push([responses, state])
        const round = Number(state ?? 0) + 1
        return inputRequired({ requestState: String(round), inputRequests: { [`r${round}`]: form(`${round}?`) } })
      }),
    )
    const runtime = await clerk(await openFresh('memory'), client)
    let run: Run<unknown> = runtime.query('Book it')
    for (let round = 1; round <= 10; round += 1) {
      const { waitId } = waiting(await run.result())
      expect((await runtime.waits.get(waitId)).question).toBe(`${round}?`)
      expect((await runtime.usage()).storage.cache.items).toBe(round === 1 ? 1 : 2)
      await runtime.waits.settle(waitId, { value: { name: `Kim ${round}` } })
      run = runtime.runs.resume(run.runId)
    }
    expect(await endOf(run)).toMatchObject({
      code: 'INPUT_REQUEST_REFUSED',
      message: expect.stringContaining('at most 10'),
    })
    expect(seen).toEqual([
      [undefined, undefined],
      ...Array.from({ length: 10 }, (_, at) => [
        { [`r${at + 1}`]: { action: 'accept', content: { name: `Kim ${at + 1}` } } },
        String(at + 1),
      ]),
    ])
    expect((await runtime.usage()).storage.cache.items).toBe(0)
  })

  test('a server that wants no answer gets its state back at once', async () => {
    const client = await connectedAsking(
      bookingServer((responses, state) =>
        state === undefined ? inputRequired({ requestState: 'busy' }) : text({ responses, state }),
      ),
    )
    const runtime = await clerk(await openFresh('memory'), client)
    expect(await endOf(runtime.query('Book it'))).toEqual({ state: 'busy' })
    expect((await runtime.usage()).storage.cache.items).toBe(0)
  })

  test('a question that nobody answers in time fails the call', async () => {
    const store = await testStore()
    const runtime = await clerk(store, await connectedAsking(whoTravels))
    const run = runtime.query('Book it')
    const { expiresAt, createdAt } = waiting(await run.result())
    await store.advance(expiresAt - createdAt)
    expect(await endOf(runtime.runs.resume(run.runId))).toMatchObject({ code: 'WAIT_EXPIRED' })
    expect((await runtime.usage()).storage.cache.items).toBe(0)
  })

  test('a host that answers elicitations by a handler of its own is not asked twice', async () => {
    const client = await connectedAsking(whoTravels)
    client.setRequestHandler('elicitation/create', async () => ({ action: 'accept', content: { name: 'Lee' } }))
    const runtime = await clerk(await openFresh('memory'), client)
    expect(await endOf(runtime.query('Book it'))).toEqual({
      responses: { who: { action: 'accept', content: { name: 'Lee' } } },
      state: 'opaque-1',
    })
  })
})

describe('a call that is made again', () => {
  const asked = (turn: number, value: object | undefined = { name: `Kim ${turn}` }) =>
    ({ kind: 'answer', value, waitedMs: 1, turn }) as never
  const twice = bookingServer((responses, state) => {
    if (responses === undefined) return inputRequired({ requestState: 'one', inputRequests: { a: form('A?') } })
    if (state === 'one') return inputRequired({ requestState: 'two', inputRequests: { b: form('B?') } })
    return text({ responses, state })
  })

  test('after a crash gives the server what it gave it before, whatever was written meanwhile', async () => {
    const { cache } = await runtimeFor(await openFresh('memory'))
    const { handlers } = await mcpTools(await connectedAsking(twice))
    const call = async (resumed?: never, key = 'key') =>
      await handlers['book']?.(
        { seats: 1 },
        testToolContext({ cache, idempotencyKey: key, ...(resumed === undefined ? {} : { resumed }) }),
      )
    // Each turn twice: the process died after the server had answered, before that was durable.
    for (const turn of [undefined, undefined, asked(1), asked(1)]) {
      expect(await call(turn)).toMatchObject({ waitsFor: 'answer' })
    }
    const end = JSON.stringify({ responses: { b: { action: 'accept', content: { name: 'Kim 2' } } }, state: 'two' })
    expect([await call(asked(2)), await call(asked(2))]).toEqual([end, end])
    // Another call, and one whose state is gone.
    await expect(call(asked(2), 'other')).rejects.toMatchObject({ code: 'WAIT_EXPIRED' })
    await expect(call(asked(1))).rejects.toMatchObject({ code: 'WAIT_EXPIRED' })
    // A handler around this one has waited for something of its own.
    expect(await call({ kind: 'event', value: 1, waitedMs: 1, turn: 1 } as never, 'around')).toMatchObject({
      waitsFor: 'answer',
    })
  })
})

describe('what a server cannot have is a failed call that says why, and nothing is left', () => {
  const elicitation = (params: unknown) => ({ inputRequests: { a: { method: 'elicitation/create', params } } })
  const withSchema = (requestedSchema: unknown, message: unknown = 'A?') => elicitation({ message, requestedSchema })
  const object = { type: 'object', properties: { name: { type: 'string' } } }

  test.each([
    [
      'sampling',
      { inputRequests: { a: { method: 'sampling/createMessage', params: {} } } },
      /"sampling\/createMessage"/,
    ],
    ['roots', { inputRequests: { a: { method: 'roots/list' } } }, /"roots\/list"/],
    [
      'roots beside a question',
      { inputRequests: { ...withSchema(object).inputRequests, b: { method: 'roots/list' } } },
      /"b" is "roots\/list"/,
    ],
    ['a request that is none', { inputRequests: { a: null } }, /without a method/],
    ['requests that are none', { inputRequests: [1] }, /named no request/],
    ['nothing', {}, /named no request/],
    ['an elicitation without parameters', elicitation(undefined), /neither the schema/],
    [
      'a way of asking that is unknown',
      elicitation({ mode: 'voice', message: 'A?', requestedSchema: object }),
      /neither/,
    ],
    [
      'an address that runs',
      elicitation({ mode: 'url', message: 'A?', url: 'javascript:alert(1)' }),
      /neither the schema/,
    ],
    ['an address that is none', elicitation({ mode: 'url', message: 'A?', url: 'https://' }), /neither the schema/],
    ['a schema that is none', withSchema('object'), /neither the schema/],
    ['a schema of another type', withSchema({ type: 'string' }), /neither the schema/],
    [
      'a schema that is invalid',
      withSchema({ type: 'object', properties: { a: { type: 'nothing' } } }),
      /cannot be used/,
    ],
    [
      'a schema that refers to a file',
      withSchema({ type: 'object', $ref: 'https://a.example/b.json' }),
      /cannot be used/,
    ],
    [
      'a schema with a reserved name',
      withSchema(JSON.parse('{"type":"object","properties":{"__proto__":{}}}')),
      /cannot be used/,
    ],
    [
      'a request with a reserved name',
      JSON.parse(
        `{"inputRequests":{"__proto__":${JSON.stringify(withSchema(object).inputRequests.a)},"b":${JSON.stringify(withSchema(object).inputRequests.a)}}}`,
      ),
      /cannot be used/,
    ],
    ['a schema that is too large', withSchema({ ...object, description: 'x'.repeat(65_536) }), /at most 65536/],
    [
      'a schema that is too deep',
      withSchema(JSON.parse(`{"type":"object","properties":${'{"a":'.repeat(200)}{}${'}'.repeat(200)}}`)),
      /cannot be used/,
    ],
    ['a question that is too long', withSchema(object, 'ä'.repeat(8193)), /at most 16384/],
    [
      'a state that is too large',
      { ...withSchema(object), requestState: 'ä'.repeat(32_769) },
      /65538 bytes; at most 65536/,
    ],
    ['a state that is no text', { ...withSchema(object), requestState: '\ud800' }, /not valid Unicode/],
    ['a key that is no text', { inputRequests: { '\ud800': withSchema(object).inputRequests.a } }, /not valid Unicode/],
    [
      'very many requests',
      {
        inputRequests: Object.fromEntries(
          Array.from({ length: 5000 }, (_, at) => [at, withSchema(object).inputRequests.a]),
        ),
      },
      /at most 16384/,
    ],
    ['a state that never ends', { requestState: 'x' }, /at most 10/],
  ])('%s', async (_, required, reason) => {
    const client = {
      listTools: async () => ({ tools: [{ name: 'book', inputSchema: { type: 'object' } }] }),
      callTool: async (_call: object, _options?: object) => ({ resultType: 'input_required', ...required }),
    }
    const runtime = await clerk(await openFresh('memory'), client as never)
    const run = runtime.query('Book it')
    expect(await endOf(run)).toMatchObject({ code: 'INPUT_REQUEST_REFUSED', message: expect.stringMatching(reason) })
    expect(await run.result()).toMatchObject({ status: 'completed' })
    const { cache, waits } = (await runtime.usage()).storage
    expect([cache.items, waits.items]).toEqual([0, 0])
    expect((await runtime.waits.list()).items).toEqual([])
  })
})
