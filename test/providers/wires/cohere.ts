import { problemsOf } from './chat-completions.ts'
import { namedEvents, type Said, type Wire } from './wire.ts'

type Event = { readonly type: string; readonly [key: string]: unknown }

function content(index: number, start: object, ...deltas: object[]): Event[] {
  return [
    { type: 'content-start', index, delta: { message: { content: start } } },
    ...deltas.map((delta) => ({ type: 'content-delta', index, delta: { message: { content: delta } } })),
    { type: 'content-end', index },
  ]
}

function answer({ reasoning, text, calls = [] }: Said) {
  const tokens = { input_tokens: 10, output_tokens: 5 }
  return {
    body: namedEvents([
      {
        type: 'message-start',
        id: 'message-1',
        delta: { message: { role: 'assistant', content: [], tool_plan: '', tool_calls: [], citations: [] } },
      },
      ...(reasoning === undefined ? [] : content(0, { type: 'thinking', thinking: '' }, { thinking: reasoning })),
      ...(text === undefined
        ? []
        : content(1, { type: 'text', text: '' }, { text: text.slice(0, 2) }, { text: text.slice(2) })),
      ...calls.flatMap(({ id, name, input }, index): Event[] => [
        {
          type: 'tool-call-start',
          index,
          delta: { message: { tool_calls: { id, type: 'function', function: { name, arguments: '' } } } },
        },
        {
          type: 'tool-call-delta',
          index,
          delta: { message: { tool_calls: { function: { arguments: JSON.stringify(input) } } } },
        },
        { type: 'tool-call-end', index },
      ]),
      {
        type: 'message-end',
        id: 'message-1',
        delta: { finish_reason: calls.length > 0 ? 'TOOL_CALL' : 'COMPLETE', usage: { billed_units: tokens, tokens } },
      },
    ]),
  }
}

/** Chat of Cohere, version 2. */
export const cohere: Wire = {
  answer,
  failing: (text) => ({
    body: `${namedEvents(content(0, { type: 'text', text: '' }, { text }).slice(0, 2))}data: {"type":"content-delta","index\n\n`,
  }),
  problemsOf: (body) => problemsOf(body, /^.+$/s),
}
