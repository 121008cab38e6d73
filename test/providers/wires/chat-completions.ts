import { CallRules, dataEvents, type Said, signature, type Wire } from './wire.ts'

/** How services differ that speak as OpenAI's chat completions do. */
export interface Dialect {
  /** A piece of reasoning. */
  readonly reasoning?: (text: string) => object
  /** The last piece, which counts. */
  readonly used?: object
  /** The form of a call's id. */
  readonly id?: RegExp
  /** Whether the roles must alternate, and an answer follow results. */
  readonly isStrict?: boolean
}

function chunk(delta: object, reason: string | null = null): object {
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'model-1',
    choices: [{ index: 0, delta, finish_reason: reason }],
  }
}

const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }
const counted = { ...chunk({}), usage }
/** As Groq counts. */
export const countedByGroq = { ...chunk({}), x_groq: { id: 'req_1', usage } }

/** The chat completions of OpenAI, and of everybody who speaks like them. */
export function chatCompletions({ reasoning, used = counted, id = /^.+$/s, isStrict = false }: Dialect): Wire {
  const answer = ({ reasoning: thought, text, calls = [] }: Said) => ({
    body: dataEvents([
      chunk({ role: 'assistant' }),
      ...(thought !== undefined && reasoning !== undefined ? [chunk(reasoning(thought))] : []),
      ...(text === undefined ? [] : [chunk({ content: text.slice(0, 2) }), chunk({ content: text.slice(2) })]),
      ...calls.map(({ id: callId, name, input }, index) =>
        chunk({
          tool_calls: [{ index, id: callId, type: 'function', function: { name, arguments: JSON.stringify(input) } }],
        }),
      ),
      chunk({}, calls.length > 0 ? 'tool_calls' : 'stop'),
      used,
      '[DONE]',
    ]),
  })
  return {
    answer,
    failing: (text) => ({ body: dataEvents([chunk({ content: text }), '{"choices":[{']) }),
    problemsOf: (body) => [...problemsOf(body, id), ...(isStrict ? orderProblemsOf(body) : [])],
  }
}

/** A message as these services take it. */
interface ChatMessage {
  readonly role: string
  readonly content?: unknown
  readonly tool_calls?: readonly {
    readonly id: string
    readonly function: { readonly name: string; readonly arguments: string }
  }[]
  readonly tool_call_id?: string
}

/** What a service refuses that wants its roles in order. */
function orderProblemsOf({ messages }: { readonly messages: readonly ChatMessage[] }): string[] {
  return messages.slice(1).flatMap(({ role }, at) => {
    const before = messages[at]?.role
    const isWrong =
      role === 'user' ? before === 'user' || before === 'tool' : role === 'assistant' && before === 'assistant'
    return isWrong ? [`the role ${role} after the role ${before}`] : []
  })
}

/** What a service that speaks chat completions refuses. */
export function problemsOf({ messages }: { readonly messages: readonly ChatMessage[] }, id: RegExp): string[] {
  const rules = new CallRules(id)
  const conversation = messages.filter(({ role }) => role !== 'system')
  if (conversation[0]?.role !== 'user') rules.problems.push(`begins with ${conversation[0]?.role}`)
  for (const [at, message] of conversation.entries()) {
    const calls = message.tool_calls ?? []
    for (const { id: callId, function: called } of calls) rules.call(callId, called.name, called.arguments)
    if (message.role === 'tool') continue
    const isEmpty = message.content === '' || message.content === null || message.content === undefined
    if (isEmpty && calls.length === 0 && !JSON.stringify(message).includes('reasoning'))
      rules.problems.push('an empty message')
    const after = conversation.slice(at + 1)
    const end = after.findIndex(({ role }) => role !== 'tool')
    const results = after.slice(0, end === -1 ? undefined : end).map(({ tool_call_id }) => tool_call_id ?? '')
    rules.answered(
      calls.map(({ id: callId }) => callId),
      results,
    )
  }
  return rules.problems
}

export { signature }
