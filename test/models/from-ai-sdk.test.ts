import { fromAiSdk } from 'bailiwick/ai-sdk'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { ModelEvent } from '../../ts/index.ts'
import { codeOf, failureOf } from '../support/failures.ts'
import { eventsOf, failureFrom, languageModel, message, requestOf } from './support.ts'

const finish = { type: 'finish', finishReason: { unified: 'stop', raw: 'stop' }, usage: {} }
const finished: ModelEvent = { type: 'finish', reason: 'stop', usage: {} }

async function eventsFor(parts: readonly object[]): Promise<ModelEvent[]> {
  return await eventsOf(fromAiSdk(languageModel(parts)).stream(requestOf()))
}

describe('adapted models', () => {
  test('a provider is asked for the model of the request, a fixed model answers for all', async () => {
    const asked: string[] = []
    const fixed = languageModel([finish])
    // Providers of the AI SDK are functions with properties.
    const provider = Object.assign(() => fixed, {
      languageModel(id: string) {
        asked.push(id)
        return fixed
      },
    })
    for (const source of [provider, fixed]) {
      expect(await eventsOf(fromAiSdk(source).stream(requestOf({ modelId: 'a/b:c' })))).toEqual([finished])
    }
    expect(asked).toEqual(['a/b:c'])
  })

  test('invalid models and unknown versions are refused', async () => {
    for (const wrong of [undefined, null, 'openai/gpt-5', {}, { doStream: true }]) {
      expect(await codeOf(async () => fromAiSdk(wrong as never))).toBe('INVALID_INPUT')
    }
    for (const version of ['v1', 'v5']) {
      const model = fromAiSdk(languageModel([finish], version))
      const error = await failureOf(() => eventsOf(model.stream(requestOf())))
      expect(error.message).toContain(`has version "${version}" of the provider interface`)
    }
  })

  test('only the settings of the request are passed on', async () => {
    const model = languageModel([finish])
    const request = requestOf({ settings: { temperature: 0, providerOptions: { local: { mode: 'fast' } } } })
    await eventsOf(fromAiSdk(model).stream(request))
    expect(model.asked).toEqual([
      {
        prompt: [
          { role: 'system', content: 'Be brief.' },
          { role: 'user', content: [{ type: 'text', text: 'Hello' }] },
        ],
        temperature: 0,
        providerOptions: { local: { mode: 'fast' } },
        abortSignal: request.signal,
      },
    ])
  })

  test('metadata of every part is sent back to the provider verbatim', async () => {
    const model = languageModel([finish])
    const metadata = { google: { thoughtSignature: 'c2ln' } }
    const call = { type: 'tool-call', callId: 'call-1', tool: 'search', input: {}, metadata } as const
    const result = { type: 'tool-result', callId: 'call-1', result: 'gone', isError: true, metadata } as const
    const messages = [
      message('user', [{ type: 'text', text: 'Hi' }]),
      message('assistant', [{ type: 'text', text: '', metadata }, call]),
      message('tool', [result]),
    ]
    await eventsOf(fromAiSdk(model).stream(requestOf({ system: '', messages })))
    const providerOptions = metadata
    expect(model.asked).toMatchObject([
      {
        prompt: [
          { role: 'user' },
          {
            role: 'assistant',
            content: [
              { type: 'text', text: '', providerOptions },
              { type: 'tool-call', toolCallId: 'call-1', toolName: 'search', input: {}, providerOptions },
            ],
          },
          {
            role: 'tool',
            content: [
              {
                type: 'tool-result',
                toolCallId: 'call-1',
                toolName: 'search',
                output: { type: 'error-text', value: 'gone' },
                providerOptions,
              },
            ],
          },
        ],
      },
    ])
  })
})

describe('answers', () => {
  test('metadata of the start and the end of a block is kept, all of it in the last event that has some', async () => {
    const events = await eventsFor([
      { type: 'stream-start', warnings: [] },
      { type: 'reasoning-start', id: 'r', providerMetadata: { openai: { itemId: 'rs_1', encrypted: null } } },
      { type: 'reasoning-delta', id: 'r', delta: 'Hm' },
      { type: 'reasoning-end', id: 'r', providerMetadata: { openai: { encrypted: 'b3BhcXVl' }, other: { a: 1 } } },
      finish,
    ])
    expect(events).toEqual([
      { type: 'reasoning.delta', id: '0', delta: '', metadata: { openai: { itemId: 'rs_1', encrypted: null } } },
      { type: 'reasoning.delta', id: '0', delta: 'Hm' },
      {
        type: 'reasoning.delta',
        id: '0',
        delta: '',
        metadata: { openai: { itemId: 'rs_1', encrypted: 'b3BhcXVl' }, other: { a: 1 } },
      },
      finished,
    ])
  })

  test('a repeated id, or one of text and reasoning, names another block', async () => {
    const events = await eventsFor([
      { type: 'text-start', id: '1' },
      { type: 'text-delta', id: '1', delta: 'a' },
      { type: 'text-end', id: '1' },
      { type: 'reasoning-start', id: '1' },
      { type: 'reasoning-delta', id: '1', delta: 'b' },
      { type: 'text-start', id: '1' },
      { type: 'text-delta', id: '1', delta: 'c' },
      { type: 'reasoning-delta', id: '1', delta: 'd' },
      finish,
    ])
    expect(events.slice(0, -1)).toEqual([
      { type: 'text.delta', id: '0', delta: 'a' },
      { type: 'reasoning.delta', id: '1', delta: 'b' },
      { type: 'text.delta', id: '2', delta: 'c' },
      { type: 'reasoning.delta', id: '1', delta: 'd' },
    ])
  })

  test('a character that was cut in two arrives whole; half a character becomes a replacement', async () => {
    const events = await eventsFor([
      { type: 'text-start', id: '1' },
      { type: 'text-delta', id: '1', delta: 'a\ud83d' },
      { type: 'text-delta', id: '1', delta: '\udc5f b\udc5f' },
      { type: 'text-delta', id: '1', delta: '\ud83d' },
      { type: 'text-delta', id: '1', delta: 'c' },
      finish,
    ])
    expect(events.slice(0, -1)).toEqual([
      { type: 'text.delta', id: '0', delta: 'a' },
      { type: 'text.delta', id: '0', delta: '\u{1f45f} b\ufffd' },
      { type: 'text.delta', id: '0', delta: '\ufffdc' },
    ])
  })

  test('metadata with hostile names is data like any other', async () => {
    const providerMetadata = JSON.parse('{"__proto__":{"polluted":true}}')
    const events = await eventsFor([
      { type: 'text-start', id: '1', providerMetadata },
      { type: 'text-end', id: '1', providerMetadata },
      finish,
    ])
    expect(JSON.stringify(events[0])).toContain('"metadata":{"__proto__":{"polluted":true}}')
    expect(events).toHaveLength(2)
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })

  test('calls without arguments become empty ones; unknown parts are left out', async () => {
    const events = await eventsFor([
      { type: 'tool-call', toolCallId: 'c1', toolName: 'a', input: '', providerMetadata: { p: { s: 1 } } },
      { type: 'tool-call', toolCallId: 'c2', toolName: 'b', input: { x: 1 } },
      { type: 'something-new' },
      'no part at all' as never,
      finish,
    ])
    expect(events).toEqual([
      { type: 'tool.call', callId: 'c1', tool: 'a', input: '{}', metadata: { p: { s: 1 } } },
      { type: 'tool.call', callId: 'c2', tool: 'b', input: '{"x":1}' },
      finished,
    ])
  })

  test('usage of every version is read; counts that cannot be are left out', async () => {
    const nested = {
      inputTokens: { total: 9, noCache: 3, cacheRead: 4, cacheWrite: 2 },
      outputTokens: { total: 5, text: 2, reasoning: 3 },
      raw: {},
    }
    const flat = { inputTokens: 9, outputTokens: 5, totalTokens: 14, reasoningTokens: 3, cachedInputTokens: 4 }
    const all = { inputTokens: 9, outputTokens: 5, cacheReadTokens: 4, cacheWriteTokens: 2, reasoningTokens: 3 }
    const { cacheWriteTokens: _notCounted, ...withoutWrites } = all
    const usages: [unknown, object][] = [
      [nested, all],
      [flat, withoutWrites],
      [{ inputTokens: { total: undefined }, outputTokens: { total: Number.NaN, reasoning: -1 } }, {}],
      [{ inputTokens: 1.5, outputTokens: '7', reasoningTokens: null }, {}],
      [undefined, {}],
    ]
    for (const [usage, expected] of usages)
      expect(await eventsFor([{ ...finish, usage }])).toEqual([{ ...finished, usage: expected }])
  })

  test('reasons for the end of every version are read', async () => {
    const reasons: [unknown, string | undefined][] = [
      ['stop', 'stop'],
      [{ unified: 'length', raw: 'max_tokens' }, 'length'],
      [{ unified: 'tool-calls' }, 'tool-calls'],
      ['content-filter', 'content-filter'],
      [{ unified: 'other' }, 'other'],
      ['something-new', 'other'],
      [{ unified: 'interrupted' }, undefined],
      ['unknown', undefined],
    ]
    for (const [finishReason, reason] of reasons) {
      const events = await eventsFor([{ ...finish, finishReason }])
      expect(events).toEqual(reason === undefined ? [] : [{ ...finished, reason }])
    }
  })
})

describe('how it fails', () => {
  const thrown = (error: unknown) => languageModel(async () => await Promise.reject(error))
  const failing = async (model: ReturnType<typeof languageModel>) =>
    await failureFrom(fromAiSdk(model).stream(requestOf()))

  test('the wait that a provider asks for may be a date', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-01-01T00:00:00Z') })
    onTestFinished(() => void vi.useRealTimers())
    const limited = (header: string) =>
      thrown({ statusCode: 429, message: 'Slow', responseHeaders: { 'retry-after': header } })
    expect(await failing(limited('Thu, 01 Jan 2026 00:00:30 GMT'))).toMatchObject({ retryAfterMs: 30_000 })
    expect(await failing(limited('Wed, 31 Dec 2025 00:00:00 GMT'))).toMatchObject({ retryAfterMs: 0 })
    expect(await failing(limited('1.5'))).toMatchObject({ retryAfterMs: 1500 })
    for (const nonsense of ['soon', '', ' ', 'Infinity']) {
      const failure = await failing(limited(nonsense))
      expect(failure.retryable).toBe(true)
      expect(failure).not.toHaveProperty('retryAfterMs')
    }
  })

  test('before the answer only retryable errors may be retried, within it all but errors of the request', async () => {
    const plain = new Error('Cannot read properties of undefined')
    const within = (error: unknown) => languageModel([{ type: 'error', error }])
    const cases: [ReturnType<typeof languageModel>, boolean, string][] = [
      [thrown(plain), false, plain.message],
      [thrown({ message: 'x', isRetryable: true }), true, 'x'],
      [thrown({ message: 'x', statusCode: 503 }), true, 'The model provider answered HTTP 503: x'],
      [thrown({ message: 'x', statusCode: 503, isRetryable: false }), false, 'The model provider answered HTTP 503: x'],
      [thrown(undefined), false, 'The model provider gave no reason.'],
      [within(plain), true, plain.message],
      [within('The engine is down'), true, 'The engine is down'],
      [within({ type: 'overloaded_error', message: 'x' }), true, 'x'],
      [within({ type: 'invalid_request_error', message: 'x' }), false, 'x'],
      [
        languageModel([{ ...finish, finishReason: 'error' }]),
        true,
        'The model provider ended its answer with an error.',
      ],
    ]
    for (const [model, retryable, text] of cases)
      expect(await failing(model)).toMatchObject({ retryable, message: text })
  })

  test('an abort ends a provider that does not watch the signal', async () => {
    const aborter = new AbortController()
    let cancelled: unknown
    const stream = new ReadableStream({
      start: (controller) => controller.enqueue({ type: 'text-delta', id: '0', delta: 'Hel' }),
      cancel: (reason) => {
        cancelled = reason
      },
    })
    const model = fromAiSdk(languageModel(async () => ({ stream })))
    const reading = (async () => {
      for await (const _event of model.stream(requestOf({ signal: aborter.signal }))) aborter.abort('enough')
    })()
    await expect(reading).rejects.toBe('enough')
    expect(cancelled).toBe('enough')
  })

  test('a request that was aborted before is never sent', async () => {
    const model = languageModel([finish])
    const request = requestOf({ signal: AbortSignal.abort('too late') })
    await expect(eventsOf(fromAiSdk(model).stream(request))).rejects.toBe('too late')
    expect(model.asked).toEqual([])
  })
})
