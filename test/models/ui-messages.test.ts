import { readUIMessageStream, type UIMessage } from 'ai'
import { toUIMessageStream, toUIMessages } from 'bailiwick/ai-sdk'
import { describe, expect, test } from 'vitest'
import { InvalidInputError, type Message, type Part, type RunEvent } from '../../ts/index.ts'
import { message } from './support.ts'
import { reloadable } from './ui-support.ts'

type Event = { readonly type: string; readonly [key: string]: unknown }

/** The events of a run, each with what all have. */
async function* runOf(events: readonly (Event | Error)[]): AsyncGenerator<RunEvent> {
  let sequence = -1
  for (const event of events) {
    if (event instanceof Error) throw event
    const isStored = !event.type.endsWith('.delta') && event.type !== 'message.discarded'
    if (isStored) sequence += 1
    const place = isStored ? { sequence } : { after: sequence, offset: 0 }
    yield { runId: 'run-1', at: 0, ...place, ...event } as unknown as RunEvent
  }
}

/** What the real `ai` package makes of the stream in the end, and the errors that it tells of. */
async function shown(
  events: readonly (Event | Error)[],
): Promise<{ message: UIMessage | undefined; errors: unknown[] }> {
  const errors: unknown[] = []
  const stream = toUIMessageStream(runOf(events))
  let last: UIMessage | undefined
  for await (const state of readUIMessageStream({ stream, onError: (error) => errors.push(error) })) last = state
  return { message: last, errors }
}

/** A shown message without properties that are undefined and without the ids of reasoning, which no reload keeps. */
function plain(given: UIMessage | undefined): unknown {
  return JSON.parse(
    JSON.stringify(given, (key, value) =>
      value?.type === 'reasoning' ? { ...value, id: undefined } : key === 'providerMetadata' ? undefined : value,
    ),
  )
}

const started: Event = { type: 'run.started', prompt: 'Any shoes?' }
const text = (messageId: string, delta: string): Event => ({ type: 'text.delta', messageId, delta })
const reasoning = (messageId: string, delta: string): Event => ({ type: 'reasoning.delta', messageId, delta })
const answered: Event = { type: 'model.completed', model: 'a/b', usage: {}, finishReason: 'stop' }
const called = (callId: string): Event => ({ type: 'tool.called', callId, tool: 'search', input: { text: callId } })
const completed = (answer: string): Event => ({ type: 'run.completed', text: answer, output: answer, usage: {} })

const shoesRun: readonly Event[] = [
  started,
  { type: 'agent.started', agent: 'analyst' },
  reasoning('m1', 'They want '),
  reasoning('m1', 'shoes.'),
  text('m1', 'I look.'),
  answered,
  called('c1'),
  called('c2'),
  { type: 'tool.failed', callId: 'c2', error: { code: 'TOOL_FAILED', message: 'No such shelf.' } },
  { type: 'tool.completed', callId: 'c1', result: { found: 3 } },
  text('m2', 'There are '),
  text('m2', '3.'),
  answered,
  { type: 'agent.completed', agent: 'analyst' },
  completed('There are 3.'),
]
const of = (role: Message['role'], parts: readonly Part[]): Message => ({ ...message(role, parts), runId: 'run-1' })
const shoesThread: readonly Message[] = [
  { ...of('user', [{ type: 'text', text: 'Any shoes?' }]), messageId: 'm0', actor: 'alice' },
  of('assistant', [
    { type: 'reasoning', text: 'They want shoes.', metadata: { anthropic: { signature: 'c2ln' } } },
    { type: 'text', text: 'I look.' },
    { type: 'tool-call', callId: 'c1', tool: 'search', input: { text: 'c1' } },
    { type: 'tool-call', callId: 'c2', tool: 'search', input: { text: 'c2' } },
  ]),
  of('tool', [{ type: 'tool-result', callId: 'c1', result: { found: 3 } }]),
  of('tool', [
    { type: 'tool-result', callId: 'c2', result: { code: 'TOOL_FAILED', message: 'No such shelf.' }, isError: true },
  ]),
  of('assistant', [{ type: 'text', text: 'There are 3.' }]),
]

describe('a run as useChat shows it', () => {
  test('the streamed message is what the thread shows afterwards', async () => {
    const { message: streamed, errors } = await shown(shoesRun)
    expect(errors).toEqual([])
    const expected = {
      id: 'run-1',
      role: 'assistant',
      parts: [
        { type: 'step-start' },
        { type: 'reasoning', text: 'They want shoes.', state: 'done' },
        { type: 'text', text: 'I look.', state: 'done' },
        {
          type: 'tool-search',
          toolCallId: 'c1',
          state: 'output-available',
          input: { text: 'c1' },
          output: { found: 3 },
        },
        {
          type: 'tool-search',
          toolCallId: 'c2',
          state: 'output-error',
          input: { text: 'c2' },
          errorText: 'An error occurred.',
        },
        { type: 'step-start' },
        { type: 'text', text: 'There are 3.', state: 'done' },
      ],
    }
    expect(plain(streamed)).toEqual(expected)
    expect(toUIMessages(shoesThread)).toEqual([
      { id: 'm0', role: 'user', parts: [{ type: 'text', text: 'Any shoes?', state: 'done' }] },
      expected,
    ])
  })

  test('a text is done before the tools that follow from it begin', async () => {
    const chunks: string[] = []
    for await (const { type } of toUIMessageStream(runOf(shoesRun))) if (type !== 'data-sequence') chunks.push(type)
    expect(chunks.slice(chunks.indexOf('text-start'), chunks.indexOf('tool-output-error'))).toEqual([
      'text-start',
      'text-delta',
      'text-end',
      'tool-input-available',
      'tool-input-available',
    ])
  })

  test('the chunks end with the reason', async () => {
    const ends: [Event, object[]][] = [
      [completed(''), [{ type: 'finish', finishReason: 'stop' }]],
      [{ type: 'run.suspended', approvals: [] }, [{ type: 'finish', finishReason: 'tool-calls' }]],
      [{ type: 'run.limited', limit: 'maxSteps' }, [{ type: 'finish', finishReason: 'length' }]],
      [{ type: 'run.cancelled' }, [{ type: 'abort' }]],
      [
        { type: 'run.failed', error: { code: 'MODEL_FAILED', message: 'Overloaded', retryable: true } },
        [
          { type: 'error', errorText: 'An error occurred.' },
          { type: 'finish', finishReason: 'error' },
        ],
      ],
    ]
    for (const [event, expected] of ends) {
      const chunks: object[] = []
      for await (const chunk of toUIMessageStream(runOf([started, event]))) chunks.push(chunk)
      const upTo = { type: 'data-sequence', data: { runId: 'run-1', sequence: 1 }, transient: true }
      expected.splice(-1, 0, upTo)
      expect(chunks).toEqual([{ type: 'start', messageId: 'run-1' }, ...expected])
    }
  })

  test('an answer whose deltas were lost is whole in the end', async () => {
    const texts = async (events: readonly Event[]) => {
      const { message: last, errors } = await shown([started, ...events])
      expect(errors).toEqual([])
      return last?.parts.map((part) => (part.type === 'text' ? part.text : part.type))
    }
    expect(await texts([text('m1', 'There '), answered, completed('There are 3.')])).toEqual([
      'step-start',
      'There are 3.',
    ])
    expect(await texts([answered, completed('There are 3.')])).toEqual(['step-start', 'step-start', 'There are 3.'])
    expect(await texts([completed('There are 3.')])).toEqual(['step-start', 'There are 3.'])
    expect(await texts([text('m1', 'are 3.'), answered, completed('There are 3.')])).toEqual([
      'step-start',
      'are 3.',
      'step-start',
      'There are 3.',
    ])
    expect(await texts([text('m1', 'I look.'), answered, called('c1'), completed('Done')])).toEqual([
      'step-start',
      'I look.',
      'tool-search',
      'step-start',
      'Done',
    ])
  })

  test('agents that write at once do not mix', async () => {
    const { message: last, errors } = await shown([
      started,
      text('m1', 'Shoes'),
      text('m2', 'Hats'),
      text('m1', ': 3'),
      reasoning('m2', 'hm'),
      text('m2', ': 4'),
      answered,
      answered,
      completed(''),
    ])
    expect(errors).toEqual([])
    expect(last?.parts.map((part) => ('text' in part ? part.text : part.type))).toEqual([
      'step-start',
      'Shoes: 3',
      'Hats',
      'hm',
      ': 4',
    ])
  })

  test('approvals, plans and references are data parts that change in their place', async () => {
    const approval = { approvalId: 'a1', status: 'pending', subject: { tool: 'pay', input: {} } }
    const id = `ref_${'a'.repeat(32)}`
    const result = { reference: id, type: 'table', byteLength: 9000, glimpse: { rows: 3 } }
    const { message: last } = await shown([
      started,
      called('c1'),
      { type: 'reference.created', reference: id },
      { type: 'tool.completed', callId: 'c1', result, reference: id },
      { type: 'plan.saved', planId: 'p1', version: 1, hash: 'aa' },
      { type: 'approval.requested', approval },
      { type: 'plan.saved', planId: 'p1', version: 2, hash: 'bb' },
      { type: 'approval.decided', record: { approvalId: 'a1', decision: 'approved', actor: 'bob' } },
      { type: 'approval.decided', record: { approvalId: 'a0', decision: 'expired', actor: null } },
      completed(''),
    ])
    expect(plain(last)).toMatchObject({
      parts: [
        { type: 'step-start' },
        { type: 'tool-search', output: result },
        { type: 'data-reference', id, data: { id, type: 'table', byteLength: 9000, glimpse: { rows: 3 } } },
        { type: 'data-plan', id: 'p1', data: { planId: 'p1', version: 2, hash: 'bb' } },
        { type: 'data-approval', id: 'a1', data: { ...approval, status: 'approved' } },
        { type: 'data-approval', id: 'a0', data: { approvalId: 'a0', status: 'expired' } },
      ],
    })
  })

  test('a follower from the middle of a run sees no results of calls it did not see', async () => {
    const { message: last, errors } = await shown([
      { type: 'tool.completed', callId: 'c1', result: 1 },
      { type: 'tool.failed', callId: 'c2', error: { message: 'x' } },
      completed('Done'),
    ])
    expect(errors).toEqual([])
    expect(plain(last)).toEqual({
      id: 'run-1',
      role: 'assistant',
      parts: [{ type: 'step-start' }, { type: 'text', text: 'Done', state: 'done' }],
    })
  })

  test('a run that cannot be read ends as an error without internal details', async () => {
    const ours = new InvalidInputError('prompt must be a text.')
    for (const error of [ours, new Error('SELECT secret FROM engine')]) {
      expect((await shown([started, error])).errors).toEqual([new Error('An error occurred.')])
      const told: unknown[] = []
      const stream = toUIMessageStream(runOf([error]), { onError: (given) => `told ${told.push(given)}` })
      const chunks: object[] = []
      for await (const chunk of stream) chunks.push(chunk)
      expect([chunks, told]).toEqual([[{ type: 'error', errorText: 'told 1' }], [error]])
    }
  })

  test('cancelling the stream ends the iteration while it waits', async () => {
    let isReturned = false
    const events: AsyncIterable<RunEvent> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<never>(() => {}),
        return: async () => {
          isReturned = true
          return { done: true, value: undefined }
        },
      }),
    }
    const reader = toUIMessageStream(events).getReader()
    const reading = reader.read()
    await reader.cancel()
    expect(await reading).toEqual({ done: true, value: undefined })
    expect(isReturned).toBe(true)
  })
})

describe('a thread as useChat shows it', () => {
  test('files are shown where the host serves them', () => {
    const messages = [message('user', [{ type: 'file', reference: 'ref_1', mediaType: 'image/png' }])]
    const urlOf = (options?: Parameters<typeof toUIMessages>[1]) => toUIMessages(messages, options)[0]?.parts
    expect(urlOf()).toEqual([{ type: 'file', mediaType: 'image/png', url: 'ref_1' }])
    expect(urlOf({ fileUrl: (id) => `/files/${id}` })).toEqual([
      { type: 'file', mediaType: 'image/png', url: '/files/ref_1' },
    ])
  })

  test('each answer is a message; ids are never the same twice', () => {
    const say = (id: string, role: Message['role'], runId?: string): Message => ({
      messageId: id,
      role,
      parts: [{ type: 'text', text: id }],
      createdAt: 0,
      ...(runId === undefined ? {} : { runId }),
    })
    const messages = [
      say('m0', 'assistant'),
      say('m1', 'assistant', 'run-1'),
      say('m2', 'assistant', 'run-2'),
      say('m3', 'user', 'run-3'),
      say('m4', 'assistant', 'run-3'),
      say('m5', 'user'),
      say('m6', 'assistant', 'run-3'),
    ]
    expect(toUIMessages(messages).map(({ id, role }) => [id, role])).toEqual([
      ['m0', 'assistant'],
      ['run-1', 'assistant'],
      ['run-2', 'assistant'],
      ['m3', 'user'],
      ['run-3', 'assistant'],
      ['m5', 'user'],
      ['m6', 'assistant'],
    ])
  })

  test('a call that waits is shown without a result, a result without its call is not', () => {
    const messages = [
      message('tool', [{ type: 'tool-result', callId: 'c0', result: 1 }]),
      message('assistant', [{ type: 'tool-call', callId: 'c1', tool: 'pay', input: { amount: 1 } }]),
      message('assistant', [{ type: 'reasoning', text: '', metadata: { a: 1 } }]),
    ]
    expect(toUIMessages(messages)).toMatchObject([
      {
        role: 'assistant',
        parts: [
          { type: 'step-start' },
          { type: 'tool-pay', toolCallId: 'c1', state: 'input-available', input: { amount: 1 } },
          { type: 'step-start' },
        ],
      },
    ])
  })

  test('a call whose agent goes on shows as waiting, and gets its late result where it is, live and after a reload', async () => {
    const late: readonly Event[] = [
      started,
      { type: 'agent.started', agent: 'analyst' },
      text('m1', 'I ask.'),
      answered,
      called('c1'),
      { type: 'tool.waiting', callId: 'c1', wait: { waitId: 'wait_1' } },
      text('m2', 'Meanwhile.'),
      answered,
      { type: 'run.suspended', approvals: [], waits: [{ waitId: 'wait_1' }] },
      { type: 'wait.settled', record: { waitId: 'wait_1' } },
      { type: 'tool.resumed', callId: 'c1', kind: 'answer' },
      called('c1'),
      { type: 'tool.completed', callId: 'c1', result: { found: 3 } },
      text('m3', 'There are 3.'),
      answered,
      { type: 'agent.completed', agent: 'analyst' },
      completed('There are 3.'),
    ]
    const told: Part = { type: 'tool-result', callId: 'c1', result: { status: 'waiting' }, state: 'waiting' }
    const thread: readonly Message[] = [
      of('assistant', [
        { type: 'text', text: 'I ask.' },
        { type: 'tool-call', callId: 'c1', tool: 'search', input: { text: 'c1' } },
      ]),
      of('tool', [told]),
      of('assistant', [{ type: 'text', text: 'Meanwhile.' }]),
      of('tool', [{ type: 'tool-result', callId: 'c1', result: { found: 3 }, state: 'late', tool: 'search' }]),
      of('assistant', [{ type: 'text', text: 'There are 3.' }]),
    ]
    for (const [events, messages, state] of [
      [late, thread, 'output-available'],
      [late.slice(0, 9), thread.slice(0, 3), 'input-available'],
    ] as const) {
      const { message: live, errors } = await shown(events)
      expect(errors).toEqual([])
      expect(reloadable(live)).toEqual(reloadable(toUIMessages(messages)[0] as UIMessage))
      expect(live?.parts).toContainEqual(expect.objectContaining({ toolCallId: 'c1', state }))
    }
  })
})
