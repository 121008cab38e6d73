import { createGroq } from '@ai-sdk/groq'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { fromAiSdk } from 'bailiwick/ai-sdk'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { NotFoundError } from '../../ts/errors/index.ts'
import { defineSpecialist, type Message, type ModelRequest } from '../../ts/index.ts'
import { openaiChunks, providerServer } from './provider-server.ts'
import { eventsOf, failureFrom, languageModel, message, requestOf } from './support.ts'

const finish = { type: 'finish', finishReason: { unified: 'stop', raw: 'stop' }, usage: {} }
const user = message('user', [{ type: 'text', text: 'Hi' }])

/** What a language model is given for a request. */
async function sent(partial: Partial<ModelRequest>, provider = 'local.chat', modelId?: string) {
  const model = languageModel([finish], 'v4', provider)
  await eventsOf(
    fromAiSdk(Object.assign(model, modelId === undefined ? {} : { modelId })).stream(
      requestOf({ system: '', ...partial }),
    ),
  )
  return model.asked[0]
}

const call = (callId: string, tool = 'search') => ({ type: 'tool-call', callId, tool, input: {} }) as const
const result = (callId: string) => ({ type: 'tool-result', callId, result: `of ${callId}` }) as const

describe('what a provider is sent', () => {
  test('call_0 in every turn: each result has the name of its own tool', async () => {
    const messages = [
      user,
      message('assistant', [call('call_0', 'search')]),
      message('tool', [result('call_0')]),
      user,
      message('assistant', [call('call_0', 'count')]),
      message('tool', [result('call_0')]),
    ]
    const { prompt } = await sent({ messages })
    const results = prompt
      .filter(({ role }: Message) => role === 'tool')
      .map(({ content }: { content: object[] }) => content[0])
    expect(results).toMatchObject([
      { toolCallId: 'call_0', toolName: 'search' },
      { toolCallId: 'call_0_2', toolName: 'count' },
    ])
  })

  test('ids have the form that the provider takes, the same in every request', async () => {
    const ids = ['toolu_01', 'a b', 'ü', 'c'.repeat(65), 'AbCdEf123']
    const messages = [
      user,
      message(
        'assistant',
        ids.map((id) => call(id)),
      ),
      message('tool', ids.map(result)),
    ]
    const idsOf = async (provider: string, modelId?: string) => {
      const { prompt } = await sent({ messages }, provider, modelId)
      expect(prompt[2].content.map((part: { toolCallId: string }) => part.toolCallId)).toEqual(
        prompt[1].content.map((part: { toolCallId: string }) => part.toolCallId),
      )
      return prompt[1].content.map((part: { toolCallId: string }) => part.toolCallId) as string[]
    }
    const common = await idsOf('local.chat')
    expect(common[0]).toBe('toolu_01')
    for (const id of common) expect(id).toMatch(/^[a-zA-Z0-9_-]{1,64}$/)
    for (const nine of [await idsOf('mistral.chat'), await idsOf('local.chat', 'mistral-small')]) {
      expect(nine.at(-1)).toBe('AbCdEf123')
      for (const id of nine) expect(id).toMatch(/^[a-zA-Z0-9]{9}$/)
      expect(new Set(nine).size).toBe(ids.length)
    }
    expect(await idsOf('local.chat')).toEqual(common)
  })

  test('a call that is sent in another way than its provider wrote it does not name the item', async () => {
    const metadata = { openai: { itemId: 'fc_1', caller: 'direct' } }
    const messages = [
      user,
      message('assistant', [
        { ...call('a'), metadata },
        { ...call('a'), metadata },
      ]),
      message('tool', [result('a'), result('a')]),
    ]
    const { prompt } = await sent({ messages })
    expect(prompt[1].content).toMatchObject([
      { providerOptions: metadata },
      { providerOptions: { openai: { caller: 'direct' } } },
    ])
    expect(prompt[1].content[1].providerOptions.openai).not.toHaveProperty('itemId')
  })

  test('a missing file is described by its type; other errors stay', async () => {
    const messages = [message('user', [{ type: 'file', reference: 'ref_1', mediaType: 'image/png' }])]
    const gone = await sent({
      messages,
      resolve: async () => await Promise.reject(new NotFoundError('There is none.')),
    })
    expect(gone.prompt[0].content).toEqual([
      { type: 'text', text: '[A file of the type image/png was here. It is no longer available.]' },
    ])
    const broken = new Error('The disk is gone')
    const model = fromAiSdk(languageModel([finish]))
    expect(
      await failureFrom(model.stream(requestOf({ messages, resolve: async () => await Promise.reject(broken) }))),
    ).toBe(broken)
  })

  test('an interrupted answer is marked', async () => {
    const messages = [user, { ...message('assistant', [{ type: 'text', text: 'Three sh' }]), interrupted: true }, user]
    const { prompt } = await sent({ messages })
    expect(prompt[1].content).toEqual([
      { type: 'text', text: 'Three sh' },
      { type: 'text', text: '[The answer was cut off here.]' },
    ])
  })

  test('calls are described in words if a provider requires tools beside them and there are none', async () => {
    const messages = [user, message('assistant', [call('a')]), message('tool', [result('a')]), user]
    const { prompt } = await sent({ messages }, 'anthropic.messages')
    expect(prompt.map(({ role }: Message) => role)).toEqual(['user', 'assistant', 'user', 'user'])
    expect(JSON.stringify(prompt)).toContain('I called the tool search with {}.')
    expect(JSON.stringify(prompt)).toContain('The tool answered: \\"of a\\"')
  })

  test('a call that Anthropic ran and did not answer is sent back during its turn, and not after it', async () => {
    const ran = (type: string, toolCallId: string) =>
      ({ type: 'opaque', provider: 'anthropic.messages', data: { type, toolCallId, toolName: 'web_search' } }) as const
    const paused = [
      user,
      message('assistant', [ran('tool-call', 'a')]),
      message('assistant', [ran('tool-result', 'a'), ran('tool-call', 'b')]),
    ]
    const idsOf = async (messages: readonly Message[]) => {
      const { prompt } = await sent({ messages, tools: [] }, 'anthropic.messages')
      const parts: { toolCallId?: string; type: string }[] = prompt.flatMap(
        ({ content }: { content: object[] }) => content,
      )
      return parts.flatMap(({ type, toolCallId }) => (toolCallId === undefined ? [] : [`${type} ${toolCallId}`]))
    }
    expect(await idsOf(paused)).toEqual(['tool-call a', 'tool-result a', 'tool-call b'])
    expect(await idsOf([...paused, user])).toEqual(['tool-call a', 'tool-result a'])
  })

  test('where roles must alternate, messages are joined, and an answer stands between results and the user', async () => {
    const messages = [user, user, message('assistant', [call('a')]), message('tool', [result('a')]), user, user]
    const roles = async (provider: string, modelId?: string) =>
      (await sent({ messages, tools: [] }, provider, modelId)).prompt.map(({ role }: Message) => role)
    expect(await roles('mistral.chat')).toEqual(['user', 'assistant', 'tool', 'assistant', 'user'])
    expect(await roles('google.vertex.chat')).toEqual(['user', 'assistant', 'tool', 'user'])
    expect(await roles('local.chat', 'devstral-small')).toEqual([
      'user',
      'user',
      'assistant',
      'tool',
      'assistant',
      'user',
      'user',
    ])
    expect(await roles('local.chat')).toEqual(['user', 'user', 'assistant', 'tool', 'user', 'user'])
  })

  test('parts that a package refuses are described in words, and the rest stays unchanged', async () => {
    const chunk = { id: '1', choices: [{ index: 0, delta: { content: 'Three.' }, finish_reason: 'stop' }] }
    const server = await providerServer({ body: openaiChunks([chunk, '[DONE]']) })
    const model = fromAiSdk(createGroq({ apiKey: 'key', baseURL: server.url }))
    const files = ['text/csv', 'image/png', 'application/pdf'].map(
      (mediaType) => ({ type: 'file', reference: 'ref_1', mediaType }) as const,
    )
    const resolve = async () => ({ bytes: new TextEncoder().encode('shoes;3') }) as never
    const events = await eventsOf(model.stream(requestOf({ messages: [message('user', files)], resolve })))
    expect(events[0]).toEqual({
      type: 'warning',
      message: 'The provider takes no files but images; others were told in words.',
    })
    expect(server.asked).toHaveLength(1)
    expect(server.asked[0]?.body.messages[1].content).toMatchObject([
      { type: 'text', text: '[A file of the type text/csv:]\nshoes;3' },
      { type: 'image_url' },
      { type: 'text', text: '[A file of the type application/pdf of the user, which this model does not take.]' },
    ])
  })

  test('a part in a shape that the package does not take any more ends no thread', async () => {
    const stale = { type: 'opaque', provider: 'local.chat', data: { type: 'custom', kind: 'local.old' } } as const
    const metadata = { local: { old: true } }
    const messages = [user, message('assistant', [stale, { type: 'text', text: 'Three.', metadata }]), user]
    const asked: string[] = []
    const model = languageModel(
      async (options) => {
        asked.push(JSON.stringify((options as { prompt: object }).prompt))
        if (asked.at(-1)?.includes('old'))
          throw Object.assign(new Error('Type validation failed'), { name: 'AI_TypeValidationError' })
        return { stream: ReadableStream.from([finish]) }
      },
      'v4',
      'local.chat',
    )
    const events = await eventsOf(fromAiSdk(model).stream(requestOf({ messages })))
    expect(events).toMatchObject([
      { type: 'warning', message: expect.stringContaining('refused parts') },
      { type: 'finish' },
    ])
    expect(asked.at(-1)).toContain('Three.')
  })
})

describe('the schema of an output', () => {
  const schemaOf = async (outputSchema: object) => (await sent({ outputSchema } as never)).responseFormat.schema

  test('objects are closed as the AI SDK closes them', async () => {
    const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more })
    const closed = { additionalProperties: false }
    expect(
      await schemaOf(
        object(
          {
            list: { type: 'array', items: object({}) },
            pair: { type: 'array', prefixItems: [object({})] },
            either: { anyOf: [object({}), { type: 'string' }], oneOf: [object({})] },
            record: { type: 'object', additionalProperties: object({}) },
            open: object({}, { additionalProperties: true }),
            perhaps: { type: ['object', 'null'] },
            both: { allOf: [object({ a: {} }), object({ b: {} })] },
            example: { const: object({}), default: object({}) },
            type: { type: 'string' },
          },
          { $defs: { node: object({ next: { $ref: '#/$defs/node' } }) }, definitions: { old: object({}) } },
        ),
      ),
    ).toEqual(
      object(
        {
          list: { type: 'array', items: object({}, closed) },
          pair: { type: 'array', prefixItems: [object({}, closed)] },
          either: { anyOf: [object({}, closed), { type: 'string' }], oneOf: [object({}, closed)] },
          record: { type: 'object', additionalProperties: object({}, closed) },
          open: object({}, closed),
          perhaps: { type: ['object', 'null'], ...closed },
          both: { allOf: [object({ a: {} }), object({ b: {} })] },
          example: { const: object({}), default: object({}) },
          type: { type: 'string' },
        },
        {
          ...closed,
          $defs: { node: object({ next: { $ref: '#/$defs/node' } }, closed) },
          definitions: { old: object({}, closed) },
        },
      ),
    )
  })

  test('an output of zod is closed, and the spec stays as it was', async () => {
    const output = z.object({ found: z.array(z.object({ name: z.string() })) })
    const { output: schema } = defineSpecialist({ name: 'counter', model: 'test/m', prompt: 'x', output }) as never as {
      output: object
    }
    const before = JSON.stringify(schema)
    expect(JSON.stringify(await schemaOf(schema)).match(/"additionalProperties":false/g)).toHaveLength(2)
    expect(JSON.stringify(schema)).toBe(before)
  })

  test('a provider that sends no schema gets it in the system text, from the start if its package says so', async () => {
    const chunk = { id: '1', choices: [{ index: 0, delta: { content: '{}' }, finish_reason: 'stop' }] }
    const server = await providerServer({ body: openaiChunks([chunk, '[DONE]']) })
    const model = fromAiSdk(createOpenAICompatible({ name: 'local', baseURL: server.url }))
    const outputSchema = { type: 'object', properties: { answer: { type: 'number' } } }
    const events = await eventsOf(model.stream(requestOf({ outputSchema })))
    expect(events[0]).toEqual({
      type: 'warning',
      message: 'The provider takes no schema of an output; it stands in the system text.',
    })
    expect(server.asked).toHaveLength(1)
    expect(server.asked[0]?.body).toMatchObject({ response_format: { type: 'json_object' } })
    expect(server.asked[0]?.body.messages[0].content).toContain(JSON.stringify(outputSchema))
  })

  test('a provider that says so at the start of its answer is asked again at once, and then in that form', async () => {
    const warned = { type: 'stream-start', warnings: [{ type: 'unsupported', feature: 'responseFormat' }] }
    const model = languageModel([
      warned,
      { type: 'text-start', id: '1' },
      { type: 'text-delta', id: '1', delta: '{}' },
      finish,
    ])
    const adapted = fromAiSdk(model)
    const outputSchema = { type: 'object' }
    const first = await eventsOf(adapted.stream(requestOf({ outputSchema })))
    expect(first.map(({ type }) => type)).toEqual(['warning', 'warning', 'text.delta', 'finish'])
    expect(model.asked).toHaveLength(2)
    expect(model.asked[1].prompt[0].content).toContain('{"type":"object"}')
    await eventsOf(adapted.stream(requestOf({ outputSchema })))
    expect(model.asked).toHaveLength(3)
    await eventsOf(adapted.stream(requestOf()))
    expect(model.asked[3].prompt[0].content).toBe('Be brief.')
  })
})
