import { describe, expect, test } from 'vitest'
import type { ModelEvent, ModelRequest, Part } from '../../ts/index.ts'
import { type Answer, anthropicEvents, providerServer } from './provider-server.ts'
import { anthropic, apiKey, versions } from './providers.ts'
import { eventsOf, failureFrom, message, requestOf } from './support.ts'

const modelId = 'claude-sonnet-4-5'
const search = {
  name: 'search',
  description: 'Finds products',
  inputSchema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
}

function streamed(...events: Parameters<typeof anthropicEvents>[0]): string {
  const usage = { input_tokens: 10, cache_read_input_tokens: 3, cache_creation_input_tokens: 2, output_tokens: 1 }
  const start = { id: 'msg_1', type: 'message', role: 'assistant', model: modelId, content: [], usage }
  return anthropicEvents([{ type: 'message_start', message: start }, ...events])
}

function block(index: number, content: object, ...deltas: object[]): Parameters<typeof anthropicEvents>[0] {
  return [
    { type: 'content_block_start', index, content_block: content },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
    { type: 'content_block_stop', index },
  ]
}

const words = (index: number, ...texts: string[]) =>
  block(index, { type: 'text', text: '' }, ...texts.map((text) => ({ type: 'text_delta', text })))

const stopped = (reason: string) => [
  { type: 'message_delta', delta: { stop_reason: reason, stop_sequence: null }, usage: { output_tokens: 7 } },
  { type: 'message_stop' },
]

const thought = block(
  0,
  { type: 'thinking', thinking: '' },
  { type: 'thinking_delta', thinking: 'They want ' },
  { type: 'thinking_delta', thinking: 'shoes.' },
  { type: 'signature_delta', signature: 'c2lnbmVk' },
)
const redacted = block(1, { type: 'redacted_thinking', data: 'b3BhcXVl' })
const called = (json: string) =>
  block(
    3,
    { type: 'tool_use', id: 'toolu_1', name: 'search', input: {} },
    { type: 'input_json_delta', partial_json: json.slice(0, 5) },
    { type: 'input_json_delta', partial_json: json.slice(5) },
  )
const thinks = streamed(
  ...thought,
  ...redacted,
  ...words(2, 'I look.'),
  ...called('{"text":"shoes"}'),
  ...stopped('tool_use'),
)
const says = streamed(...words(0, 'Hello', ', you'), ...stopped('end_turn'))

/** The parts that the events of a turn make, as a thread keeps them. */
function partsOf(events: readonly ModelEvent[]): Part[] {
  const parts = new Map<string, Part>()
  for (const event of events) {
    if (event.type !== 'tool.call' && event.type !== 'text.delta' && event.type !== 'reasoning.delta') continue
    const metadata = event.metadata === undefined ? {} : { metadata: event.metadata }
    if (event.type === 'tool.call') {
      const { callId, tool, input } = event
      parts.set(callId, { type: 'tool-call', callId, tool, input: JSON.parse(input), ...metadata })
      continue
    }
    const before = parts.get(event.id) as { text: string } | undefined
    const type = event.type === 'text.delta' ? 'text' : 'reasoning'
    parts.set(event.id, { ...before, type, text: (before?.text ?? '') + event.delta, ...metadata })
  }
  return Array.from(parts.values())
}

const user = message('user', [{ type: 'text', text: 'Any shoes?' }])
/** What is told at the start of an answer. */
const early: ModelEvent = {
  type: 'usage',
  usage: { inputTokens: 15, outputTokens: 1, cacheReadTokens: 3, cacheWriteTokens: 2 },
}
const thinking = { anthropic: { thinking: { type: 'enabled', budgetTokens: 1024 } } }

describe.each(versions)('@ai-sdk/anthropic, interface %s', (version) => {
  async function ask(answers: readonly Answer[], partial: Partial<ModelRequest> = {}) {
    const server = await providerServer(answers)
    const model = anthropic(version, server.url)
    return { server, model, stream: () => model.stream(requestOf({ modelId, ...partial })) }
  }

  test('text streams as deltas and finishes with the usage', async () => {
    const { server, stream } = await ask([{ body: says }], {
      settings: { temperature: 0.5, maxOutputTokens: 100 },
    })
    // Until version 3 of the interface, what was read from a cache is not part of the input.
    const counted =
      version === 'v2'
        ? { inputTokens: 10, outputTokens: 7, cacheReadTokens: 3 }
        : { inputTokens: 15, outputTokens: 7, cacheReadTokens: 3, cacheWriteTokens: 2 }
    expect(await eventsOf(stream())).toEqual([
      early,
      { type: 'text.delta', id: '0', delta: 'Hello' },
      { type: 'text.delta', id: '0', delta: ', you' },
      { type: 'finish', reason: 'stop', usage: counted, metadata: expect.anything() },
    ])
    const [asked] = server.asked
    expect(asked?.path).toBe('/messages')
    expect(asked?.headers['x-api-key']).toBe(apiKey)
    expect(asked?.body).toMatchObject({
      model: modelId,
      max_tokens: 100,
      temperature: 0.5,
      stream: true,
      system: [{ type: 'text', text: 'Be brief.' }],
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }],
    })
    expect(asked?.body.tools).toBeUndefined()
  })

  test('signed reasoning and calls are replayed verbatim in the next turn', async () => {
    const { server, model, stream } = await ask([{ body: thinks }, { body: says }], {
      messages: [user],
      tools: [search],
      settings: { maxOutputTokens: 100, providerOptions: thinking },
    })
    const events = await eventsOf(stream())
    const parts = partsOf(events)
    expect(parts).toMatchObject([
      { type: 'reasoning', text: 'They want shoes.', metadata: { anthropic: { signature: 'c2lnbmVk' } } },
      { type: 'reasoning', text: '', metadata: { anthropic: { redactedData: 'b3BhcXVl' } } },
      { type: 'text', text: 'I look.' },
      { type: 'tool-call', callId: 'toolu_1', tool: 'search', input: { text: 'shoes' } },
    ])
    expect(events.at(-1)).toMatchObject({ type: 'finish', reason: 'tool-calls' })
    expect(server.asked[0]?.body.tools).toMatchObject([
      { name: 'search', description: 'Finds products', input_schema: search.inputSchema },
    ])
    const messages = [
      user,
      message('assistant', parts),
      message('tool', [{ type: 'tool-result', callId: 'toolu_1', result: { code: 'DOWN' }, isError: true }]),
    ]
    await eventsOf(
      model.stream(requestOf({ modelId, messages, tools: [search], settings: { providerOptions: thinking } })),
    )
    const [, assistant, tool] = server.asked[1]?.body.messages ?? []
    expect(assistant).toMatchObject({
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: 'They want shoes.', signature: 'c2lnbmVk' },
        { type: 'redacted_thinking', data: 'b3BhcXVl' },
        { type: 'text', text: 'I look.' },
        { type: 'tool_use', id: 'toolu_1', name: 'search', input: { text: 'shoes' } },
      ],
    })
    expect(tool).toMatchObject({
      role: 'user',
      content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: '{"code":"DOWN"}', is_error: true }],
    })
  })

  test('a file is sent with its bytes, resolved by its reference', async () => {
    const bytes = Uint8Array.from([1, 2, 3])
    const { server, stream } = await ask([{ body: says }], {
      messages: [message('user', [{ type: 'file', reference: 'ref_picture', mediaType: 'image/png' }])],
      resolve: async (id) => ({ bytes: id === 'ref_picture' ? bytes : new Uint8Array() }) as never,
    })
    await eventsOf(stream())
    expect(server.asked[0]?.body.messages).toMatchObject([
      { role: 'user', content: [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AQID' } }] },
    ])
  })

  test('an output schema is requested as JSON, and the JSON arrives as text', async () => {
    const outputSchema = {
      type: 'object',
      properties: { answer: { type: 'number' } },
      required: ['answer'],
      additionalProperties: false,
    }
    const isNative = version !== 'v2'
    const json = '{"answer":4}'
    const body = isNative
      ? streamed(...words(0, json), ...stopped('end_turn'))
      : streamed(
          ...block(
            0,
            { type: 'tool_use', id: 'toolu_1', name: 'json', input: {} },
            { type: 'input_json_delta', partial_json: json },
          ),
          ...stopped('tool_use'),
        )
    const { server, stream } = await ask([{ body }], { outputSchema })
    const events = await eventsOf(stream())
    expect(partsOf(events)).toMatchObject([{ type: 'text', text: json }])
    expect(events.at(-1)).toMatchObject({ reason: 'stop' })
    expect(JSON.stringify(server.asked[0]?.body)).toContain('"answer":{"type":"number"}')
  })

  test('arguments that are not JSON are passed on unchanged', async () => {
    const body = streamed(...called('{"text":'), ...stopped('max_tokens'))
    const { stream } = await ask([{ body }], { tools: [search] })
    expect(await eventsOf(stream())).toMatchObject([
      early,
      { type: 'tool.call', callId: 'toolu_1', tool: 'search', input: '{"text":' },
      { type: 'finish', reason: 'length' },
    ])
  })

  test('nothing but the conversation is sent: no tenant, actor, run or message ids', async () => {
    const { server, stream } = await ask([{ body: says }], {
      messages: [{ ...user, messageId: 'msg-canary', runId: 'run-canary', actor: 'acme-canary' }],
    })
    await eventsOf(stream())
    const { body, headers } = server.asked[0] ?? {}
    expect(JSON.stringify(body)).toContain('Any shoes?')
    expect(JSON.stringify(body)).not.toContain('canary')
    expect(JSON.stringify({ ...headers, 'x-api-key': '' })).not.toContain('canary')
  })

  const overloaded = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }
  const refusal = (type: string, text: string) => JSON.stringify({ type: 'error', error: { type, message: text } })

  test.each([
    [400, {}, 'invalid_request_error', { retryable: false }],
    [404, {}, 'not_found_error', { retryable: false }],
    [429, { 'retry-after': '7' }, 'rate_limit_error', { retryable: true, retryAfterMs: 7000 }],
    [
      429,
      { 'retry-after-ms': '1500.2', 'retry-after': '2' },
      'rate_limit_error',
      { retryable: true, retryAfterMs: 1501 },
    ],
    [429, {}, 'rate_limit_error', { retryable: true }],
    [500, {}, 'api_error', { retryable: true }],
    [529, { 'retry-after': '0' }, 'overloaded_error', { retryable: true, retryAfterMs: 0 }],
  ])('HTTP %i with %j fails as %s', async (status, headers, type, expected) => {
    const { stream } = await ask([{ status, headers, body: refusal(type, 'The reason') }])
    const failure = await failureFrom(stream())
    expect(failure.message).toBe(`The model provider answered HTTP ${status}: The reason`)
    expect({ retryable: failure.retryable, retryAfterMs: failure.retryAfterMs }).toEqual(expected)
    expect(failure.cause).toMatchObject({ name: 'AI_APICallError', statusCode: status })
  })

  test('a refused key is not quoted', async () => {
    const { stream } = await ask([{ status: 401, body: refusal('authentication_error', `invalid ${apiKey}`) }])
    const failure = await failureFrom(stream())
    expect(failure.message).toMatch(/^The model provider refused the credentials \(HTTP 401\)\./)
    expect(failure.retryable).toBe(false)
  })

  test('an overloaded provider may say so at the start of its answer', async () => {
    const { stream } = await ask([{ body: anthropicEvents([overloaded]) }])
    expect(await failureFrom(stream())).toMatchObject({ retryable: true })
  })

  test('an error after some text may be retried, and the text was seen', async () => {
    const { stream } = await ask([{ body: streamed(...words(0, 'Hel'), overloaded) }])
    const seen: ModelEvent[] = []
    const failure = await failureFrom(stream(), seen)
    expect(seen).toEqual([early, { type: 'text.delta', id: '0', delta: 'Hel' }])
    expect(failure.message).toMatch(/Overloaded$/)
    expect(failure.retryable).toBe(true)
  })

  test('an answer that stops before its end has no finish', async () => {
    const { stream } = await ask([{ body: streamed(...words(0, 'Hel')) }])
    expect(await eventsOf(stream())).toEqual([early, { type: 'text.delta', id: '0', delta: 'Hel' }])
  })

  test('an answer whose connection is cut may be retried', async () => {
    const { stream } = await ask([{ body: streamed(...words(0, 'Hel')), ends: 'cut' }])
    expect(await failureFrom(stream())).toMatchObject({ retryable: true })
  })

  test('an aborted request ends at once, with the reason, and frees the connection', async () => {
    const aborter = new AbortController()
    const reason = new Error('cancelled')
    const { server, stream } = await ask([{ body: streamed(...words(0, 'Hel')), ends: 'never' }], {
      signal: aborter.signal,
    })
    const reading = (async () => {
      for await (const _event of stream()) aborter.abort(reason)
    })()
    await expect(reading).rejects.toBe(reason)
    await server.closed()
  })

  test('a request that is aborted before its answer begins ends with the reason', async () => {
    const aborter = new AbortController()
    const reason = new Error('cancelled')
    const { server, stream } = await ask([{ body: '', ends: 'never' }], { signal: aborter.signal })
    const reading = eventsOf(stream())
    void server.arrived.then(() => aborter.abort(reason))
    await expect(reading).rejects.toBe(reason)
  })

  test('an unreachable server may be retried', async () => {
    const { server } = await ask([])
    await server.stop()
    const gone = anthropic(version, server.url)
    expect(await failureFrom(gone.stream(requestOf({ modelId })))).toMatchObject({ retryable: true })
  })

  test('a consumer that stops reading frees the connection', async () => {
    const { server, stream } = await ask([{ body: streamed(...words(0, 'Hel')), ends: 'never' }])
    for await (const _event of stream()) break
    await server.closed()
  })
})
