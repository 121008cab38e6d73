import { fromAiSdk } from 'bailiwick/ai-sdk'
import { describe, expect, test } from 'vitest'
import type { ModelEvent, Part } from '../../ts/index.ts'
import { eventsOf, languageModel, message, requestOf } from './support.ts'

const finish = { type: 'finish', finishReason: { unified: 'stop', raw: 'stop' }, usage: {} }
const user = message('user', [{ type: 'text', text: 'Hi' }])

async function eventsFor(parts: readonly object[], version = 'v4', provider = 'local.chat'): Promise<ModelEvent[]> {
  return await eventsOf(fromAiSdk(languageModel(parts, version, provider)).stream(requestOf()))
}

const providerMetadata = { local: { mark: 1 } }
const ran = [
  {
    type: 'tool-call',
    toolCallId: 'ws_1',
    toolName: 'web_search',
    input: '{"query":"shoes"}',
    providerExecuted: true,
    providerMetadata,
  },
  { type: 'tool-result', toolCallId: 'ws_1', toolName: 'web_search', result: 'draft', preliminary: true },
  { type: 'tool-result', toolCallId: 'ws_1', toolName: 'web_search', result: { found: 3 }, providerMetadata },
  { type: 'tool-result', toolCallId: 'ws_2', toolName: 'web_search', result: 'Nothing' },
  { type: 'tool-result', toolCallId: 'ws_3', toolName: 'web_search', result: { code: 'DOWN' }, isError: true },
  { type: 'custom', kind: 'local.compaction', providerMetadata },
]

describe('parts that only a provider understands', () => {
  test('they are kept in their place and sent back to the same provider, of every version', async () => {
    for (const version of ['v2', 'v3', 'v4']) {
      const events = await eventsFor([...ran, finish], version)
      const opaque = events.filter((event) => event.type === 'opaque')
      expect(events).toHaveLength(opaque.length + 1)
      expect(opaque.map(({ provider }) => provider)).toEqual(Array(5).fill('local.chat'))
      const parts: Part[] = JSON.parse(JSON.stringify(opaque))
      const messages = [user, message('assistant', [...parts, { type: 'text', text: 'Three.' }]), user]
      const model = languageModel([finish], version, 'local.chat')
      await eventsOf(fromAiSdk(model).stream(requestOf({ system: '', messages })))
      expect(model.asked[0].prompt[1].content).toEqual([
        {
          type: 'tool-call',
          toolCallId: 'ws_1',
          toolName: 'web_search',
          input: { query: 'shoes' },
          providerExecuted: true,
          providerOptions: providerMetadata,
        },
        {
          type: 'tool-result',
          toolCallId: 'ws_1',
          toolName: 'web_search',
          output: { type: 'json', value: { found: 3 } },
          providerOptions: providerMetadata,
        },
        { type: 'tool-result', toolCallId: 'ws_2', toolName: 'web_search', output: { type: 'text', value: 'Nothing' } },
        {
          type: 'tool-result',
          toolCallId: 'ws_3',
          toolName: 'web_search',
          output: { type: 'error-json', value: { code: 'DOWN' } },
        },
        { type: 'custom', kind: 'local.compaction', providerOptions: providerMetadata },
        { type: 'text', text: 'Three.' },
      ])
      const other = languageModel([finish], version, 'other.chat')
      await eventsOf(fromAiSdk(other).stream(requestOf({ system: '', messages })))
      expect(other.asked[0].prompt[1].content).toEqual([{ type: 'text', text: 'Three.' }])
    }
  })

  test('generated files are kept as base64 or by their address, and go back in the form of the version', async () => {
    const bytes = Uint8Array.from([1, 2, 3])
    const url = new URL('https://example.org/shoe.png')
    const given: [string, unknown, object, unknown][] = [
      ['v4', { type: 'data', data: 'AQID' }, { data: 'AQID' }, { type: 'data', data: 'AQID' }],
      ['v4', { type: 'data', data: bytes }, { data: 'AQID' }, { type: 'data', data: 'AQID' }],
      ['v4', { type: 'url', url }, { url: url.href }, { type: 'url', url }],
      ['v3', bytes, { data: 'AQID' }, 'AQID'],
      ['v2', 'AQID', { data: 'AQID' }, 'AQID'],
    ]
    for (const [version, data, kept, sent] of given) {
      const [event] = await eventsFor([{ type: 'file', mediaType: 'image/png', data }, finish], version)
      expect(event).toEqual({
        type: 'opaque',
        provider: 'local.chat',
        data: { type: 'file', mediaType: 'image/png', ...kept },
      })
      const model = languageModel([finish], version, 'local.chat')
      const messages = [user, message('assistant', [JSON.parse(JSON.stringify(event))]), user]
      await eventsOf(fromAiSdk(model).stream(requestOf({ system: '', messages })))
      expect(model.asked[0].prompt[1].content).toEqual([{ type: 'file', mediaType: 'image/png', data: sent }])
    }
  })

  test('a file that no answer can hold becomes a warning', async () => {
    const data = { type: 'data', data: 'A'.repeat((2 << 20) + 4) }
    expect(await eventsFor([{ type: 'file', mediaType: 'image/png', data }, finish])).toEqual([
      { type: 'warning', message: 'A generated file of the type image/png is too large to be kept.' },
      expect.objectContaining({ type: 'finish' }),
    ])
  })

  test('sources are kept once each, and no provider is sent one', async () => {
    const source = (url: string) => ({
      type: 'source',
      sourceType: 'url',
      id: url,
      url: `https://example.org/${url}`,
      title: url,
    })
    const events = await eventsFor([
      source('a'),
      source('a'),
      ...Array.from({ length: 100 }, (_, at) => source(`${at}`)),
      finish,
    ])
    expect(events).toHaveLength(65)
    expect(events[0]).toEqual({
      type: 'opaque',
      provider: 'local.chat',
      data: { type: 'source', sourceType: 'url', id: 'a', url: 'https://example.org/a', title: 'a' },
    })
    const model = languageModel([finish], 'v4', 'local.chat')
    const messages = [user, message('assistant', [events[0] as Part, { type: 'text', text: 'Three.' }]), user]
    await eventsOf(fromAiSdk(model).stream(requestOf({ system: '', messages })))
    expect(model.asked[0].prompt[1].content).toEqual([{ type: 'text', text: 'Three.' }])
  })
})

describe('metadata', () => {
  test('it is sent when it has changed and not more often, with the first event of its block and at the end', async () => {
    const same = { local: { signature: 'x'.repeat(1500) } }
    const deltas = Array.from({ length: 3000 }, () => ({
      type: 'reasoning-delta',
      id: 'r',
      delta: 'five.',
      providerMetadata: structuredClone(same),
    }))
    const events = await eventsFor([
      { type: 'reasoning-start', id: 'r' },
      ...deltas,
      { type: 'reasoning-end', id: 'r', providerMetadata: same },
      finish,
    ])
    expect(events.filter((event) => 'metadata' in event)).toHaveLength(1)
    expect(JSON.stringify(events).length).toBeLessThan(3000 * 80)
  })

  test('metadata that grows with each delta is sent once, whole', async () => {
    const deltas = Array.from({ length: 1000 }, (_, at) => ({
      type: 'text-delta',
      id: 't',
      delta: 'a',
      providerMetadata: { local: { so: 'x'.repeat(at) } },
    }))
    const events = await eventsFor([{ type: 'text-start', id: 't' }, ...deltas, { type: 'text-end', id: 't' }, finish])
    expect(events.flatMap((event) => ('metadata' in event ? [event.metadata] : []))).toEqual([
      { local: { so: 'x'.repeat(999) } },
    ])
  })

  test('metadata that JSON cannot hold ends no stream', async () => {
    const itself: Record<string, unknown> = { count: 1n }
    itself['self'] = itself
    const deltas = [1, 2].map(() => ({ type: 'text-delta', id: 't', delta: 'a', providerMetadata: { local: itself } }))
    const events = await eventsFor([{ type: 'text-start', id: 't' }, ...deltas, { type: 'text-end', id: 't' }, finish])
    expect(events.filter(({ type }) => type === 'text.delta')).toHaveLength(3)
  })

  test('metadata of a block without an end is sent before the finish', async () => {
    const events = await eventsFor([
      { type: 'text-start', id: 't' },
      { type: 'text-delta', id: 't', delta: 'a' },
      { type: 'text-delta', id: 't', delta: 'b', providerMetadata },
      { type: 'text-start', id: 't' },
      { type: 'text-delta', id: 't', delta: 'c' },
      finish,
    ])
    expect(events.slice(0, -1)).toEqual([
      { type: 'text.delta', id: '0', delta: 'a' },
      { type: 'text.delta', id: '0', delta: 'b' },
      { type: 'text.delta', id: '1', delta: 'c' },
      { type: 'text.delta', id: '0', delta: '', metadata: providerMetadata },
    ])
  })
})

describe('ids of calls', () => {
  test('a long id is kept beside a short one, and sent back for the call and its result', async () => {
    const long = `call_1${'s'.repeat(4000)}`
    const [call] = await eventsFor([
      { type: 'tool-call', toolCallId: long, toolName: 'search', input: '{}', providerMetadata },
      finish,
    ])
    if (call?.type !== 'tool.call') throw new Error('There is no call.')
    expect(call.callId).toMatch(/^[a-zA-Z0-9_-]{1,64}$/)
    const { callId, metadata = null } = call
    const messages = [
      user,
      message('assistant', [{ type: 'tool-call', callId, tool: 'search', input: {}, metadata }]),
      message('tool', [{ type: 'tool-result', callId, result: 'three' }]),
    ]
    const model = languageModel([finish], 'v4', 'local.chat')
    await eventsOf(fromAiSdk(model).stream(requestOf({ system: '', messages })))
    expect(model.asked[0].prompt.slice(1)).toMatchObject([
      { content: [{ toolCallId: long, providerOptions: providerMetadata }] },
      { content: [{ toolCallId: long, toolName: 'search' }] },
    ])
    expect(JSON.stringify(model.asked[0].prompt)).not.toContain('bailiwick')
  })

  test('missing and invalid ids and names are replaced', async () => {
    const calls = [{ toolCallId: '', toolName: '' }, { toolCallId: null, toolName: 7 }, {}]
    expect(
      await eventsFor([...calls.map((call) => ({ type: 'tool-call', input: '{}', ...call })), finish]),
    ).toMatchObject([
      { callId: 'call', tool: '' },
      { callId: 'call', tool: '' },
      { callId: 'call', tool: '' },
      { type: 'finish' },
    ])
  })
})

describe('warnings', () => {
  test('warnings of every version are reported, the first sixteen of an answer', async () => {
    const warnings = [
      { type: 'unsupported', feature: 'seed' },
      { type: 'unsupported', feature: 'temperature', details: 'It is always 1.' },
      { type: 'compatibility', feature: 'schema', details: 'It is in the system message.' },
      { type: 'deprecated', setting: 'mode', message: 'Use another one.' },
      { type: 'unsupported-setting', setting: 'topK' },
      { type: 'unsupported-tool', tool: { name: 'search' } },
      { type: 'other', message: 'x'.repeat(1000) },
      null,
    ]
    const events = await eventsFor([{ type: 'stream-start', warnings }, finish])
    expect(events.flatMap((event) => (event.type === 'warning' ? [event.message] : []))).toEqual([
      'seed not as asked',
      'temperature not as asked: It is always 1.',
      'schema in another way: It is in the system message.',
      'mode not as asked: Use another one.',
      'topK not as asked',
      'search not as asked',
      'x'.repeat(500),
      'The provider gave a warning without words.',
    ])
    const many = await eventsFor([{ type: 'stream-start', warnings: Array(100).fill(warnings[0]) }, finish])
    expect(many).toHaveLength(17)
  })
})

describe('usage and pauses before the end', () => {
  test('usage so far is reported if the provider reports it, when it has changed', async () => {
    const gemini = (candidatesTokenCount: number) => ({
      type: 'raw',
      rawValue: { usageMetadata: { promptTokenCount: 9, candidatesTokenCount, thoughtsTokenCount: 2 } },
    })
    const events = await eventsFor([gemini(1), gemini(1), gemini(5), { type: 'raw', rawValue: 'x' }, finish])
    expect(events.slice(0, -1)).toEqual([
      { type: 'usage', usage: { inputTokens: 9, outputTokens: 3, reasoningTokens: 2 } },
      { type: 'usage', usage: { inputTokens: 9, outputTokens: 7, reasoningTokens: 2 } },
    ])
  })

  test('a paused turn finishes with pause', async () => {
    expect(await eventsFor([{ ...finish, finishReason: { unified: 'stop', raw: 'pause_turn' } }])).toMatchObject([
      { reason: 'pause' },
    ])
  })
})
