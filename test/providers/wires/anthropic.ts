import { CallRules, namedEvents, type Said, signature, type Wire } from './wire.ts'

type Event = { readonly type: string; readonly [key: string]: unknown }

/** A block of an answer. */
export function block(index: number, content: object, ...deltas: object[]): Event[] {
  return [
    { type: 'content_block_start', index, content_block: content },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
    { type: 'content_block_stop', index },
  ]
}

const start: Event = {
  type: 'message_start',
  message: {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'model-1',
    content: [],
    usage: { input_tokens: 10, output_tokens: 1 },
  },
}

/** An answer with these blocks. */
export function blocks(reason: string, ...given: readonly Event[][]): { readonly body: string } {
  return {
    body: namedEvents([
      start,
      ...given.flat(),
      { type: 'message_delta', delta: { stop_reason: reason, stop_sequence: null }, usage: { output_tokens: 5 } },
      { type: 'message_stop' },
    ]),
  }
}

export function textBlock(index: number, text: string): Event[] {
  const halves = [text.slice(0, 2), text.slice(2)].map((half) => ({ type: 'text_delta', text: half }))
  return block(index, { type: 'text', text: '' }, ...halves)
}

function answer({ reasoning, text, calls = [] }: Said) {
  const given: ((index: number) => Event[])[] = []
  if (reasoning !== undefined) {
    const deltas = [
      { type: 'thinking_delta', thinking: reasoning },
      { type: 'signature_delta', signature },
    ]
    given.push((index) => block(index, { type: 'thinking', thinking: '' }, ...deltas))
  }
  if (text !== undefined) given.push((index) => textBlock(index, text))
  for (const { id, name, input } of calls) {
    const json = { type: 'input_json_delta', partial_json: JSON.stringify(input) }
    given.push((index) => block(index, { type: 'tool_use', id, name, input: {} }, json))
  }
  return blocks(calls.length > 0 ? 'tool_use' : 'end_turn', ...given.map((make, index) => make(index)))
}

interface Block {
  readonly type: string
  readonly id?: string
  readonly name?: string
  readonly input?: unknown
  readonly tool_use_id?: string
  readonly text?: string
}

/** The Messages of Anthropic. */
export const anthropic: Wire = {
  answer,
  failing: (text) => ({
    body: namedEvents([
      start,
      ...textBlock(0, text).slice(0, 3),
      { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } },
    ]),
  }),
  problemsOf: ({
    messages,
    tools,
  }: {
    readonly messages: readonly { readonly role: string; readonly content: readonly Block[] }[]
    readonly tools?: readonly object[]
  }) => {
    const rules = new CallRules(/^[a-zA-Z0-9_-]+$/)
    if (messages[0]?.role !== 'user') rules.problems.push(`begins with ${messages[0]?.role}`)
    for (const [at, { role, content }] of messages.entries()) {
      if (content.length === 0) rules.problems.push(`an empty message of the ${role}`)
      if (messages[at + 1]?.role === role) rules.problems.push(`two messages of the ${role}`)
      if (role === 'assistant' && content.at(-1)?.type === 'thinking') rules.problems.push('thinking at the end')
      for (const { type, text } of content)
        if (type === 'text' && text?.trim() === '') rules.problems.push('a blank text')
      const calls = content.filter(({ type }) => type === 'tool_use')
      for (const { id, name, input } of calls) rules.call(id, name, input)
      if (calls.length > 0 && tools === undefined) rules.problems.push('calls without tools')
      const next = messages[at + 1]?.content ?? []
      const others = next.findIndex(({ type }) => type !== 'tool_result')
      const results = next.slice(0, others === -1 ? undefined : others)
      rules.answered(
        calls.map(({ id = '' }) => id),
        results.map(({ tool_use_id = '' }) => tool_use_id),
      )
      if (next.slice(results.length).some(({ type }) => type === 'tool_result'))
        rules.problems.push('a result behind something else')
    }
    return rules.problems
  },
}
