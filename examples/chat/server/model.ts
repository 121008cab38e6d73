import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import type { Model, ModelEvent, ModelRequest } from 'bailiwick'
import { fromAiSdk } from 'bailiwick/ai-sdk'

const PACE_MS = 30

/**
 * Returns the model that the environment names, at any server that speaks the protocol of OpenAI: `CHAT_MODEL`, `CHAT_MODEL_URL`, and
 * `CHAT_MODEL_KEY` if it needs one. Without them, a scripted model that says a word every `CHAT_PACE_MS` milliseconds (30).
 */
export function modelFor(env: NodeJS.ProcessEnv): Model {
  const { CHAT_MODEL: name, CHAT_MODEL_URL: baseURL, CHAT_MODEL_KEY: apiKey, CHAT_PACE_MS: pace } = env
  if (name === undefined) return scripted(Number(pace ?? PACE_MS))
  if (baseURL === undefined) throw new Error('CHAT_MODEL needs CHAT_MODEL_URL, such as http://127.0.0.1:11434/v1')
  const provider = createOpenAICompatible({ name: 'desk', baseURL, ...(apiKey === undefined ? {} : { apiKey }) })
  return fromAiSdk(provider.languageModel(name))
}

/** A model that needs no key. It understands the few sentences that its answer to all others lists. */
function scripted(paceMs: number): Model {
  return {
    async *stream(request) {
      for (const event of await answer(request)) {
        if (event.type === 'text.delta') await setTimeout(paceMs, undefined, { signal: request.signal })
        yield event
      }
    },
  }
}

async function answer({ messages, resolve }: ModelRequest): Promise<ModelEvent[]> {
  const last = messages.at(-1)?.parts ?? []
  const [first] = last
  if (first?.type === 'tool-result') return afterCall(first.callId, first.result, first.isError === true, messages)
  const prompt = last.flatMap((part) => (part.type === 'text' ? part.text : [])).join(' ')
  // How a model is told of the result of a call that waited while the chat went on.
  const late = /^\[The call "([^"]+)" of the tool \w+, which waited, has (failed|this result): (.*)\]$/s.exec(prompt)
  if (late !== null) return afterCall(late[1] ?? '', late[3], late[2] === 'failed', messages)
  const order = Number(/\d+/.exec(prompt)?.[0] ?? 17)
  const files = last.flatMap((part) => (part.type === 'file' ? part : []))
  if (files.length > 0) {
    const sizes = await Promise.all(files.map(async ({ reference }) => (await resolve(reference)).bytes.byteLength))
    return says(`I have read ${files.map(({ mediaType }, at) => `${mediaType} of ${sizes[at]} bytes`).join(' and ')}.`)
  }
  if (/refund/i.test(prompt)) return calls('refund', { order })
  if (/ship/i.test(prompt)) return calls('ask', { question: `How shall order ${order} be shipped?` })
  if (/stock/i.test(prompt)) return calls('stock', { item: 'teapots' })
  if (/count/i.test(prompt)) return says(Array.from({ length: order }, (_, at) => at + 1).join(' '))
  return says(
    'Tell me to refund order 17, to ship order 17, to look up the stock, or to count to 100. Or send me a file.',
  )
}

type Messages = ModelRequest['messages']

function afterCall(callId: string, result: unknown, isError: boolean, messages: Messages): ModelEvent[] {
  const called = messages
    .flatMap(({ parts }) => parts)
    .findLast((part) => part.type === 'tool-call' && part.callId === callId)
  if (called?.type !== 'tool-call') return says('I have lost the thread.')
  if (isError) return says(called.tool === 'stock' ? 'I cannot reach the warehouse.' : 'I leave it, then.')
  if (called.tool !== 'ask') return says(`${result}`)
  const order = Number(/\d+/.exec(JSON.stringify(called.input))?.[0])
  return calls('ship', { order, how: result })
}

function says(text: string): ModelEvent[] {
  const words = text.split(/(?<= )/)
  const finish: ModelEvent = { type: 'finish', reason: 'stop', usage: { inputTokens: 10, outputTokens: words.length } }
  return [...words.map((delta): ModelEvent => ({ type: 'text.delta', id: 'answer', delta })), finish]
}

function calls(tool: string, input: object): ModelEvent[] {
  return [
    { type: 'tool.call', callId: randomUUID(), tool, input: JSON.stringify(input) },
    { type: 'finish', reason: 'tool-calls', usage: { inputTokens: 10, outputTokens: 5 } },
  ]
}
