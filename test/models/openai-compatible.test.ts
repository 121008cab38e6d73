import { describe, expect, test } from 'vitest'
import type { ModelEvent, ModelRequest } from '../../ts/index.ts'
import { type Answer, openaiChunks, providerServer } from './provider-server.ts'
import { apiKey, openaiCompatible, versions } from './providers.ts'
import { eventsOf, failureFrom, message, requestOf } from './support.ts'

const search = { name: 'search', description: 'Finds products', inputSchema: { type: 'object' } }

function chunk(delta: object, finishReason: string | null = null): object {
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'model-1',
    choices: [{ index: 0, delta, finish_reason: finishReason }],
  }
}

const used = {
  ...chunk({}),
  choices: [],
  usage: {
    prompt_tokens: 20,
    completion_tokens: 9,
    total_tokens: 29,
    prompt_tokens_details: { cached_tokens: 4 },
    completion_tokens_details: { reasoning_tokens: 5 },
  },
}
const says = openaiChunks([
  chunk({ role: 'assistant', content: 'Hel' }),
  chunk({ content: 'lo' }),
  chunk({}, 'stop'),
  used,
  '[DONE]',
])

const called = (index: number, id: string, ...json: string[]) => [
  chunk({ tool_calls: [{ index, id, type: 'function', function: { name: 'search', arguments: '' } }] }),
  ...json.map((part) => chunk({ tool_calls: [{ index, function: { arguments: part } }] })),
]

describe.each(versions)('@ai-sdk/openai-compatible, interface %s', (version) => {
  async function ask(answers: readonly Answer[], partial: Partial<ModelRequest> = {}) {
    const server = await providerServer(answers)
    const model = openaiCompatible(version, server.url)
    return { server, stream: () => model.stream(requestOf(partial)) }
  }

  test('text streams as deltas and finishes with the usage', async () => {
    const { server, stream } = await ask([{ body: says }], {
      settings: { temperature: 0, seed: 7, maxOutputTokens: 50 },
    })
    expect(await eventsOf(stream())).toEqual([
      { type: 'text.delta', id: '0', delta: 'Hel' },
      { type: 'text.delta', id: '0', delta: 'lo' },
      {
        type: 'finish',
        reason: 'stop',
        usage: { inputTokens: 20, outputTokens: 9, cacheReadTokens: 4, reasoningTokens: 5 },
        metadata: { local: {} },
      },
    ])
    const [asked] = server.asked
    expect(asked?.path).toBe('/chat/completions')
    expect(asked?.headers.authorization).toBe(`Bearer ${apiKey}`)
    expect(asked?.body).toMatchObject({
      model: 'model-1',
      temperature: 0,
      seed: 7,
      max_tokens: 50,
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Hello' },
      ],
    })
  })

  test('reasoning, text and several calls of one turn stay apart', async () => {
    const body = openaiChunks([
      chunk({ role: 'assistant', reasoning_content: 'Two ' }),
      chunk({ reasoning_content: 'lookups.' }),
      chunk({ content: 'I look.' }),
      ...called(0, 'call-1', '{"text"', ':"shoes"}'),
      ...called(1, 'call-2', '{"text":"hats"}'),
      chunk({}, 'tool_calls'),
      used,
      '[DONE]',
    ])
    const { server, stream } = await ask([{ body }], { tools: [search] })
    expect(await eventsOf(stream())).toMatchObject([
      { type: 'reasoning.delta', id: '0', delta: 'Two ' },
      { type: 'reasoning.delta', id: '0', delta: 'lookups.' },
      { type: 'text.delta', id: '1', delta: 'I look.' },
      { type: 'tool.call', callId: 'call-1', tool: 'search', input: '{"text":"shoes"}' },
      { type: 'tool.call', callId: 'call-2', tool: 'search', input: '{"text":"hats"}' },
      { type: 'finish', reason: 'tool-calls' },
    ])
    expect(server.asked[0]?.body).toMatchObject({
      tool_choice: 'auto',
      tools: [{ type: 'function', function: { name: 'search', parameters: search.inputSchema } }],
    })
  })

  test('calls and results are sent back unchanged; empty parts are left out', async () => {
    const { server, stream } = await ask([{ body: says }], {
      system: '',
      messages: [
        message('user', [{ type: 'text', text: 'Any?' }]),
        message('assistant', []),
        message('assistant', [
          { type: 'text', text: '' },
          { type: 'tool-call', callId: 'call-1', tool: 'search', input: { text: 'shoes' } },
          { type: 'tool-call', callId: 'call-2', tool: 'search', input: {} },
        ]),
        message('tool', [{ type: 'tool-result', callId: 'call-1', result: 'three' }]),
        message('tool', [{ type: 'tool-result', callId: 'call-2', result: { reference: 'ref_1', byteLength: 5000 } }]),
      ],
    })
    await eventsOf(stream())
    expect(server.asked[0]?.body.messages).toMatchObject([
      { role: 'user', content: 'Any?' },
      {
        role: 'assistant',
        tool_calls: [
          { id: 'call-1', function: { name: 'search', arguments: '{"text":"shoes"}' } },
          { id: 'call-2', function: { name: 'search', arguments: '{}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'call-1', content: 'three' },
      { role: 'tool', tool_call_id: 'call-2', content: '{"reference":"ref_1","byteLength":5000}' },
    ])
  })

  test('a file is sent with its bytes', async () => {
    const { server, stream } = await ask([{ body: says }], {
      messages: [message('user', [{ type: 'file', reference: 'ref_picture', mediaType: 'image/png' }])],
      resolve: async () => ({ bytes: Uint8Array.from([1, 2, 3]) }) as never,
    })
    await eventsOf(stream())
    expect(server.asked[0]?.body.messages[1].content).toMatchObject([
      { type: 'image_url', image_url: { url: 'data:image/png;base64,AQID' } },
    ])
  })

  test('an output schema is asked for as JSON', async () => {
    const outputSchema = { type: 'object', properties: { answer: { type: 'number' } } }
    const { server, stream } = await ask([{ body: says }], { outputSchema })
    await eventsOf(stream())
    expect(server.asked[0]?.body.response_format).toMatchObject({
      type: 'json_schema',
      json_schema: { schema: outputSchema },
    })
  })

  test('arguments that are not JSON are passed on unchanged', async () => {
    const body = openaiChunks([...called(0, 'call-1', '{"text":'), chunk({}, 'length'), '[DONE]'])
    const { stream } = await ask([{ body }], { tools: [search] })
    expect(await eventsOf(stream())).toMatchObject([
      { type: 'tool.call', callId: 'call-1', input: '{"text":' },
      { type: 'finish', reason: 'length' },
    ])
  })

  test.each([
    [400, {}, { retryable: false }],
    [429, { 'Retry-After': '3' }, { retryable: true, retryAfterMs: 3000 }],
    [503, {}, { retryable: true }],
  ])('HTTP %i with %j', async (status, headers, expected) => {
    const { stream } = await ask([{ status, headers, body: JSON.stringify({ error: { message: 'The reason' } }) }])
    const { message: text, retryable, retryAfterMs } = await failureFrom(stream())
    expect(text).toBe(`The model provider answered HTTP ${status}: The reason`)
    expect({ retryable, retryAfterMs }).toEqual(expected)
  })

  test('a refused key is not quoted', async () => {
    const { stream } = await ask([{ status: 401, body: JSON.stringify({ error: { message: `Bad key ${apiKey}` } }) }])
    const failure = await failureFrom(stream())
    expect(failure.message).not.toContain(apiKey)
    expect(failure.retryable).toBe(false)
  })

  test('an error in the answer and a chunk that is no JSON may be retried', async () => {
    for (const broken of [{ error: { message: 'The engine is down' } }, '{"choices":[{']) {
      const { stream } = await ask([{ body: openaiChunks([chunk({ content: 'Hel' }), broken]) }])
      const seen: ModelEvent[] = []
      expect(await failureFrom(stream(), seen)).toMatchObject({ retryable: true })
      expect(seen).toEqual([{ type: 'text.delta', id: '0', delta: 'Hel' }])
    }
  })

  test('an answer that stops before its end never looks complete', async () => {
    const { stream } = await ask([{ body: openaiChunks([chunk({ content: 'Hel' })]) }])
    // The newer versions fail, the oldest has no finish.
    if (version === 'v2') expect(await eventsOf(stream())).toEqual([{ type: 'text.delta', id: '0', delta: 'Hel' }])
    else expect(await failureFrom(stream())).toMatchObject({ retryable: true })
  })

  test('an aborted request ends at once, with the reason, and frees the connection', async () => {
    const aborter = new AbortController()
    const reason = new Error('cancelled')
    const body = openaiChunks([chunk({ content: 'Hel' })])
    const { server, stream } = await ask([{ body, ends: 'never' }], { signal: aborter.signal })
    const reading = (async () => {
      for await (const _event of stream()) aborter.abort(reason)
    })()
    await expect(reading).rejects.toBe(reason)
    await server.closed()
  })
})
