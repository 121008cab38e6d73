import { CallRules, dataEvents, type Said, signature, type Wire } from './wire.ts'

const usage = {
  input_tokens: 10,
  output_tokens: 5,
  total_tokens: 15,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens_details: { reasoning_tokens: 0 },
}
const response = {
  id: 'resp_1',
  object: 'response',
  created_at: 1,
  model: 'model-1',
  output: [],
  status: 'in_progress',
}

/** An answer with these items. */
export function items(...output: readonly (readonly object[])[]): { readonly body: string } {
  return {
    body: dataEvents([
      { type: 'response.created', response },
      ...output.flat(),
      { type: 'response.completed', response: { ...response, status: 'completed', usage } },
    ]),
  }
}

/** An item that comes whole. */
export function item(index: number, added: object, done: object = added): object[] {
  return [
    { type: 'response.output_item.added', output_index: index, item: added },
    { type: 'response.output_item.done', output_index: index, item: done },
  ]
}

export function reasoningItem(index: number, text: string, id = `rs_${index}`): object[] {
  const summary = [{ type: 'summary_text', text }]
  const place = { item_id: id, output_index: index, summary_index: 0 }
  return [
    {
      type: 'response.output_item.added',
      output_index: index,
      item: { type: 'reasoning', id, summary: [], status: 'in_progress' },
    },
    { type: 'response.reasoning_summary_part.added', ...place, part: { type: 'summary_text', text: '' } },
    { type: 'response.reasoning_summary_text.delta', ...place, delta: text },
    { type: 'response.reasoning_summary_part.done', ...place, part: { type: 'summary_text', text } },
    {
      type: 'response.output_item.done',
      output_index: index,
      item: { type: 'reasoning', id, summary, status: 'completed', encrypted_content: signature },
    },
  ]
}

export function textItem(index: number, text: string, annotations: readonly object[] = []): object[] {
  const id = `msg_${index}`
  const place = { item_id: id, output_index: index, content_index: 0 }
  const content = [{ type: 'output_text', text, annotations, logprobs: [] }]
  return [
    {
      type: 'response.output_item.added',
      output_index: index,
      item: { type: 'message', id, role: 'assistant', status: 'in_progress', content: [] },
    },
    { type: 'response.output_text.delta', ...place, delta: text.slice(0, 2), logprobs: [] },
    { type: 'response.output_text.delta', ...place, delta: text.slice(2), logprobs: [] },
    ...annotations.map((annotation, at) => ({
      type: 'response.output_text.annotation.added',
      ...place,
      annotation_index: at,
      annotation,
    })),
    {
      type: 'response.output_item.done',
      output_index: index,
      item: { type: 'message', id, role: 'assistant', status: 'completed', content },
    },
  ]
}

function callItem(index: number, id: string, name: string, input: object): object[] {
  const text = JSON.stringify(input)
  const call = { type: 'function_call', id: `fc_${index}_${id}`, call_id: id, name, status: 'completed' }
  return [
    {
      type: 'response.output_item.added',
      output_index: index,
      item: { ...call, status: 'in_progress', arguments: '' },
    },
    { type: 'response.function_call_arguments.delta', item_id: call.id, output_index: index, delta: text },
    { type: 'response.function_call_arguments.done', item_id: call.id, output_index: index, name, arguments: text },
    { type: 'response.output_item.done', output_index: index, item: { ...call, arguments: text } },
  ]
}

function answer({ reasoning, text, calls = [] }: Said) {
  const parts: ((index: number) => object[])[] = [
    ...(reasoning === undefined ? [] : [(index: number) => reasoningItem(index, reasoning)]),
    ...(text === undefined ? [] : [(index: number) => textItem(index, text)]),
    ...calls.map(
      ({ id, name, input }) =>
        (index: number) =>
          callItem(index, id, name, input),
    ),
  ]
  return items(...parts.map((part, index) => part(index)))
}

/** The Responses of OpenAI and of xAI. */
export const responses: Wire = {
  answer,
  failing: (text) => ({
    body: dataEvents([
      { type: 'response.created', response },
      ...textItem(0, text).slice(0, 3),
      {
        type: 'error',
        sequence_number: 4,
        code: 'server_error',
        message: 'The engine is down',
        error: { type: 'server_error', code: 'server_error', message: 'The engine is down' },
      },
    ]),
  }),
  problemsOf: ({ input }: { readonly input: readonly Readonly<Record<string, unknown>>[] }) => {
    const rules = new CallRules(/^[a-zA-Z0-9_-]{1,64}$/)
    const first = input.find(({ role }) => role !== 'system' && role !== 'developer')
    if (first?.['role'] !== 'user') rules.problems.push(`begins with ${JSON.stringify(first)}`)
    const calls: string[] = []
    const results: string[] = []
    for (const { type, call_id: id, name, arguments: given, role, content } of input) {
      if (type === 'function_call') {
        rules.call(id, name, given)
        calls.push(String(id))
      }
      if (type === 'function_call_output') {
        results.push(String(id))
        if (!calls.includes(String(id))) rules.problems.push(`the result ${id} before its call`)
      }
      if (role === 'user' && (content === '' || (Array.isArray(content) && content.length === 0)))
        rules.problems.push('an empty message')
    }
    rules.answered(calls, results)
    return rules.problems
  },
}
