import { SpanKind } from '@opentelemetry/api'
import { beforeEach, describe, expect, test } from 'vitest'
import { QuotaExceededError } from '../../ts/index.ts'
import { GenAi, GenAiContent } from '../../ts/telemetry/conventions.ts'
import { checkTelemetryOptions, type Telemetry, type TelemetryOptions, telemetryFor } from '../../ts/telemetry/index.ts'
import type { Message, Part } from '../../ts/types/threads.ts'
import { everythingIn, hostTracer, takeRawSpans, takeSpans } from './spans.ts'

const ofRun = { runId: 'run_1', threadId: 'thread-1' }
const usage = { inputTokens: 120, outputTokens: 30, cacheReadTokens: 80, cacheWriteTokens: 20, reasoningTokens: 10 }
const answer: Part[] = [
  { type: 'reasoning', text: 'content-canary' },
  { type: 'tool-call', callId: 'call_1', tool: 'weather', input: { city: 'content-canary' } },
]
const messages: Message[] = [
  {
    messageId: 'message_1',
    role: 'user',
    createdAt: 1,
    parts: [
      { type: 'text', text: 'content-canary' },
      { type: 'file', reference: 'ref_1', mediaType: 'image/png' },
    ],
  },
  {
    messageId: 'message_2',
    role: 'tool',
    createdAt: 2,
    parts: [{ type: 'tool-result', callId: 'call_0', result: ['content-canary'] }],
  },
]

beforeEach(() => void takeSpans())

/** One run: an agent asks a model, calls a tool that itself does something, and is done. */
async function work(options?: TelemetryOptions): Promise<Telemetry> {
  const telemetry = await telemetryFor(checkTelemetryOptions(options))
  const agent = telemetry.startAgent({ ...ofRun, agent: 'analyst', description: 'Analyses', input: messages })
  const settings = { temperature: 0.5, maxOutputTokens: 100, seed: 7 }
  const chat = telemetry.startChat(
    { ...ofRun, provider: 'acme-ai', model: 'big-1', settings, structured: true, system: 'content-canary', messages },
    agent,
  )
  chat.end({ usage, finishReason: 'tool-calls', output: answer })
  const tool = telemetry.startTool(
    { ...ofRun, tool: 'weather', callId: 'call_1', description: 'Tells', input: { city: 'content-canary' } },
    agent,
  )
  await tool.run(async () => {
    await Promise.resolve()
    hostTracer.startSpan('fetch').end()
  })
  tool.end({ result: { degrees: 'content-canary' } })
  agent.end({ usage, status: 'completed', output: [{ type: 'text', text: 'content-canary' }] })
  return telemetry
}

const usageAttributes = {
  'gen_ai.usage.input_tokens': 120,
  'gen_ai.usage.output_tokens': 30,
  'gen_ai.usage.cache_read.input_tokens': 80,
  'gen_ai.usage.cache_write.input_tokens': 20,
  'gen_ai.usage.cache_creation.input_tokens': 20,
  'gen_ai.usage.reasoning.output_tokens': 10,
}
const runAttributes = { 'bailiwick.run.id': 'run_1', 'gen_ai.conversation.id': 'thread-1' }

test('agents, models and tools have the spans of the GenAI conventions', async () => {
  await work({ attributes: { region: 'north', 'gen_ai.operation.name': 'overwritten' } })
  expect(takeSpans()).toEqual([
    {
      name: 'chat big-1',
      parent: 'invoke_agent analyst',
      error: undefined,
      attributes: {
        region: 'north',
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'acme-ai',
        'gen_ai.request.model': 'big-1',
        'gen_ai.request.stream': true,
        'gen_ai.request.temperature': 0.5,
        'gen_ai.request.max_tokens': 100,
        'gen_ai.request.seed': 7,
        'gen_ai.output.type': 'json',
        'gen_ai.response.finish_reasons': ['tool-calls'],
        ...runAttributes,
        ...usageAttributes,
      },
    },
    { name: 'fetch', parent: 'execute_tool weather', error: undefined, attributes: {} },
    {
      name: 'execute_tool weather',
      parent: 'invoke_agent analyst',
      error: undefined,
      attributes: {
        region: 'north',
        'gen_ai.operation.name': 'execute_tool',
        'gen_ai.tool.name': 'weather',
        'gen_ai.tool.type': 'function',
        'gen_ai.tool.description': 'Tells',
        'gen_ai.tool.call.id': 'call_1',
        ...runAttributes,
      },
    },
    {
      name: 'invoke_agent analyst',
      parent: undefined,
      error: undefined,
      attributes: {
        region: 'north',
        'gen_ai.operation.name': 'invoke_agent',
        'gen_ai.agent.name': 'analyst',
        'gen_ai.agent.description': 'Analyses',
        'bailiwick.run.status': 'completed',
        ...runAttributes,
        ...usageAttributes,
      },
    },
  ])
})

test('the span of a model is that of a client, the others are internal', async () => {
  await work()
  const kinds = takeRawSpans().map(({ name, kind }) => [name.split(' ')[0], kind])
  expect(Object.fromEntries(kinds)).toEqual({
    chat: SpanKind.CLIENT,
    fetch: SpanKind.INTERNAL,
    execute_tool: SpanKind.INTERNAL,
    invoke_agent: SpanKind.INTERNAL,
  })
})

test("an agent lies below the host's active span", async () => {
  await hostTracer.startActiveSpan('request', async (request) => {
    await work()
    request.end()
  })
  expect(takeSpans().find(({ name }) => name === 'invoke_agent analyst')?.parent).toBe('request')
})

describe('content', () => {
  test('is on no span unless the host asks for it', async () => {
    await work()
    await work({ recordContent: false })
    const spans = takeRawSpans()
    expect(spans).toHaveLength(8)
    expect(everythingIn(spans)).not.toContain('content-canary')
  })

  test('is recorded in the form of the conventions when the host asks for it', async () => {
    await work({ recordContent: true })
    const [chat, , tool, agent] = takeSpans().map(({ attributes }) =>
      Object.fromEntries(
        Object.values(GenAiContent).flatMap((name) =>
          attributes[name] === undefined ? [] : [[name, JSON.parse(attributes[name] as string)]],
        ),
      ),
    )
    const input = [
      {
        role: 'user',
        parts: [
          { type: 'text', content: 'content-canary' },
          { type: 'file', modality: 'image', mime_type: 'image/png', file_id: 'ref_1' },
        ],
      },
      { role: 'tool', parts: [{ type: 'tool_call_response', id: 'call_0', response: ['content-canary'] }] },
    ]
    const call = { type: 'tool_call', id: 'call_1', name: 'weather', arguments: { city: 'content-canary' } }
    expect(chat).toEqual({
      'gen_ai.system_instructions': [{ type: 'text', content: 'content-canary' }],
      'gen_ai.input.messages': input,
      'gen_ai.output.messages': [
        {
          role: 'assistant',
          parts: [{ type: 'reasoning', content: 'content-canary' }, call],
          finish_reason: 'tool-calls',
        },
      ],
    })
    expect(tool).toEqual({
      'gen_ai.tool.call.arguments': { city: 'content-canary' },
      'gen_ai.tool.call.result': { degrees: 'content-canary' },
    })
    expect(agent).toEqual({
      'gen_ai.input.messages': input,
      'gen_ai.output.messages': [
        { role: 'assistant', parts: [{ type: 'text', content: 'content-canary' }], finish_reason: 'stop' },
      ],
    })
  })
})

describe('failures', () => {
  test.each([
    [
      'an error of ours',
      new QuotaExceededError('content-canary', { quota: 'bytes', limit: 1, used: 2 }),
      'QUOTA_EXCEEDED',
    ],
    [
      'a failure that a result carries',
      { code: 'MODEL_FAILED', message: 'content-canary', retryable: true },
      'MODEL_FAILED',
    ],
    ["the host's error", Object.assign(new Error('content-canary'), { code: 'CONTENT_CANARY' }), '_OTHER'],
    ['a failure whose code is content', { code: 'content-canary' }, '_OTHER'],
    ['a text', 'content-canary', '_OTHER'],
    ['nothing', undefined, '_OTHER'],
  ])('%s gives the span its status and nothing of its text', async (_, error, type) => {
    const telemetry = await telemetryFor(checkTelemetryOptions())
    telemetry.startChat({ ...ofRun, provider: 'acme-ai', model: 'big-1' }).fail(error)
    const spans = takeRawSpans()
    expect(spans.map(({ status, attributes }) => [status.message, attributes['error.type']])).toEqual([[type, type]])
    expect(everythingIn(spans)).not.toMatch(/content.canary/i)
  })

  test('an activity ends once', async () => {
    const telemetry = await telemetryFor(checkTelemetryOptions())
    const chat = telemetry.startChat({ runId: 'run_1', provider: 'acme-ai', model: 'big-1' })
    chat.end({ finishReason: 'stop' })
    chat.fail(new Error('late'))
    chat.end({ finishReason: 'length' })
    expect(takeSpans().map(({ error, attributes }) => [error, attributes[GenAi.finishReasons]])).toEqual([
      [undefined, ['stop']],
    ])
  })
})
