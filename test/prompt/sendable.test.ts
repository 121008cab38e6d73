import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sendableToolName } from '../../ts/common/tool-names.ts'
import type { Message, Part } from '../../ts/index.ts'
import { Conversation, sendable } from '../../ts/prompt/index.ts'
import { anyHistory, loopHistory } from './histories.ts'
import { problemsOf } from './rules.ts'

test('whatever a thread holds, the sent conversation keeps the rules, and stays the same when made sendable again', () => {
  fc.assert(
    fc.property(anyHistory, (history) => {
      const before = JSON.stringify(history)
      const sent = sendable(history)
      expect(problemsOf(sent)).toEqual([])
      expect(sendable(sent)).toEqual(sent)
      expect(sendable(sent).every((message, at) => message === sent[at])).toBe(true)
      expect(JSON.stringify(history)).toBe(before)
    }),
    { numRuns: 1000 },
  )
})

test('sent messages stay the same when the conversation continues', () => {
  fc.assert(
    fc.property(anyHistory, (history) => {
      const conversation = new Conversation()
      let sent: Message[] = []
      for (const [at, message] of history.entries()) {
        conversation.add(message)
        const next = history[at + 1]
        // A step is asked for when every call before it has its result; the end of one that has none is not yet decided.
        const isDecided =
          next === undefined || (next.role !== 'tool' && !next.parts.some(({ type }) => type === 'tool-result'))
        if (!isDecided) continue
        const now = conversation.messages()
        expect(now.slice(0, sent.length)).toEqual(sent)
        sent = now
      }
      expect(conversation.messages()).toEqual(sendable(history))
    }),
    { numRuns: 1000 },
  )
})

test('call_0 in every turn: the ids are apart and each result follows its own call, in the order of the calls', () => {
  fc.assert(
    fc.property(loopHistory, (history) => {
      const sent = sendable(history)
      const calls = sent.flatMap(({ parts }) => parts).filter((part) => part.type === 'tool-call')
      const results = sent.flatMap(({ parts }) => parts).filter((part) => part.type === 'tool-result')
      expect(results.map(({ callId }) => callId)).toEqual(calls.map(({ callId }) => callId))
      for (const { callId, result } of results) expect(`of ${callId}`.startsWith(String(result))).toBe(true)
      expect(sent.filter(({ role }) => role !== 'tool')).toHaveLength(
        history.filter(({ role }) => role !== 'tool').length,
      )
    }),
  )
})

const user = (...parts: Part[]): Message => ({ messageId: 'u', role: 'user', parts, createdAt: 1 })
const assistant = (...parts: Part[]): Message => ({ messageId: 'a', role: 'assistant', parts, createdAt: 2 })
const tool = (...parts: Part[]): Message => ({ messageId: 't', role: 'tool', parts, createdAt: 3 })
const text = (words: string): Part => ({ type: 'text', text: words })
const call = (callId: string, name = 'search', input: never = {} as never): Part => ({
  type: 'tool-call',
  callId,
  tool: name,
  input,
})
const result = (callId: string, value = `of ${callId}`): Part => ({ type: 'tool-result', callId, result: value })
const shape = (messages: readonly Message[]) =>
  messages.map(({ role, parts }) => [
    role,
    ...parts.map((part) => ('callId' in part ? part.callId : 'text' in part ? part.text : part.type)),
  ])

test('a call without result is closed, and a result without call becomes a text', () => {
  const sent = sendable([
    user(text('Hi')),
    assistant(call('a'), call('b')),
    tool(result('b')),
    user(text('And?')),
    tool(result('a')),
  ])
  expect(shape(sent)).toEqual([
    ['user', 'Hi'],
    ['assistant', 'a', 'b'],
    ['tool', 'a', 'b'],
    ['user', 'And?'],
    ['user', '[Result of the tool call "a": of a]'],
  ])
  expect(sent[2]?.parts[0]).toMatchObject({
    isError: true,
    result: expect.stringContaining('interrupted or never run'),
  })
})

test('words among results follow them, and results in the message of their calls get a message of their own', () => {
  expect(
    shape(
      sendable([user(text('Hi')), assistant(call('a'), call('b')), tool(result('a'), text('Note')), tool(result('b'))]),
    ),
  ).toEqual([
    ['user', 'Hi'],
    ['assistant', 'a', 'b'],
    ['tool', 'a', 'b'],
    ['user', 'Note'],
  ])
  expect(
    shape(sendable([user(text('Hi')), assistant(call('a'), result('a'), text('Then'), call('b'), result('b'))])),
  ).toEqual([
    ['user', 'Hi'],
    ['assistant', 'a'],
    ['tool', 'a'],
    ['assistant', 'Then', 'b'],
    ['tool', 'b'],
  ])
  expect(shape(sendable([user(text('Hi')), assistant(call('a')), user(result('a'), text('Thanks'))]))).toEqual([
    ['user', 'Hi'],
    ['assistant', 'a'],
    ['tool', 'a'],
    ['user', 'Thanks'],
  ])
})

test('two calls of one answer under one id get their results in turn', () => {
  const sent = sendable([
    user(text('Hi')),
    assistant(call('call_0'), call('call_0')),
    tool(result('call_0', 'first'), result('call_0', 'second')),
  ])
  expect(sent[2]?.parts).toMatchObject([
    { callId: 'call_0', result: 'first' },
    { callId: 'call_0_2', result: 'second' },
  ])
})

test('arguments are an object whatever the model wrote', () => {
  const inputs: unknown[] = [{ a: 1 }, null, '', [1], 'x', '{"text":', '{"text":"hats"}', 7, false]
  const sent = sendable([
    user(text('Hi')),
    assistant(...inputs.map((input, at) => call(`c${at}`, 'search', input as never))),
  ])
  expect(sent[1]?.parts.map((part) => ('input' in part ? part.input : undefined))).toEqual([
    { a: 1 },
    {},
    {},
    { input: [1] },
    { input: 'x' },
    { input: '{"text":' },
    { text: 'hats' },
    { input: 7 },
    { input: false },
  ])
})

test('names become valid for providers, each a different one', () => {
  expect(['search', 'a-b_C9'].map(sendableToolName)).toEqual(['search', 'a-b_C9'])
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 70 }),
      fc.string({ unit: 'binary', maxLength: 70 }),
      (one, other) => {
        expect(sendableToolName(one)).toMatch(/^[a-zA-Z0-9_-]{1,64}$/)
        expect(sendableToolName(sendableToolName(one))).toBe(sendableToolName(one))
        if (one !== other) expect(sendableToolName(one)).not.toBe(sendableToolName(other))
      },
    ),
  )
  for (const odd of [
    '__proto__',
    'constructor',
    'x<|channel|>json',
    'x__channel__json!',
    '',
    ' ',
    'n'.repeat(65),
    'n'.repeat(66),
    'ö',
  ]) {
    expect(sendableToolName(odd)).toMatch(/^[a-zA-Z0-9_-]{1,64}$/)
    expect(sendableToolName(odd) in {}).toBe(false)
  }
})

test('the text of an interrupted answer stays, without parts that its provider never ended', () => {
  const metadata = { openai: { itemId: 'msg_1' } }
  const opaque: Part = { type: 'opaque', provider: 'openai.responses', data: {} }
  const cut = {
    ...assistant({ type: 'reasoning', text: 'Hm', metadata }, opaque, { ...text('Three sh'), metadata }),
    interrupted: true,
  }
  expect(sendable([user(text('Hi')), cut])[1]).toEqual({ ...cut, parts: [text('Three sh')] })
})

test('a conversation begins with the user, and an empty message of the user is described', () => {
  expect(shape(sendable([assistant(text('Welcome')), user(text(''))]))).toEqual([
    ['user', '[The conversation begins with the message of the assistant.]'],
    ['assistant', 'Welcome'],
    ['user', '[An empty message.]'],
  ])
  expect(sendable([])).toEqual([])
})

test('a message that can be sent stays the same object', () => {
  const history = [
    user(text('Hi')),
    assistant({ type: 'reasoning', text: '', metadata: { a: 1 } }, call('a')),
    tool(result('a')),
  ]
  expect(sendable(history).every((message, at) => message === history[at])).toBe(true)
})

test('a late result is told as a text of the user that names its call as it was sent', () => {
  const result = { type: 'tool-result', callId: 'call_0', result: 'three' } as const
  const again: Message[] = [
    user({ type: 'text', text: 'Hello' }),
    {
      messageId: 'a1',
      role: 'assistant',
      parts: [{ type: 'tool-call', callId: 'call_0', tool: 'x', input: {} }],
      createdAt: 1,
    },
    { messageId: 't1', role: 'tool', parts: [result], createdAt: 1 },
    {
      messageId: 'a2',
      role: 'assistant',
      parts: [{ type: 'tool-call', callId: 'call_0', tool: 'ask me', input: {} }],
      createdAt: 1,
    },
    {
      messageId: 't2',
      role: 'tool',
      parts: [{ ...result, result: { status: 'waiting' }, state: 'waiting' }],
      createdAt: 1,
    },
  ]
  const late = (part: Partial<Part>): Message => ({
    messageId: 't3',
    role: 'tool',
    parts: [{ ...result, ...part, state: 'late', tool: 'ask me' } as Part],
    createdAt: 1,
  })
  for (const [part, words] of [
    [{ result: { size: 4 } }, 'has this result: {"size":4}'],
    [{ result: { error: { code: 'REJECTED' } }, isError: true }, 'has failed: {"error":{"code":"REJECTED"}}'],
  ] as const) {
    const sent = sendable([...again, late(part)])
    expect(problemsOf(sent)).toEqual([])
    const text = `[The call "call_0_2" of the tool ${sendableToolName('ask me')}, which waited, ${words}]`
    expect(sent.at(-1)).toMatchObject({ role: 'user', parts: [{ type: 'text', text }] })
  }
})
