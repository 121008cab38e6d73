import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import type { Model, ModelEvent, ModelRequest } from 'bailiwick'

/** The pause between two words: slow enough to press Stop, to reload the page, or to kill the server. */
const PAUSE_MS = Number(process.env['DEMO_PAUSE_MS'] ?? 30)

const story = Array.from({ length: 120 }, (_, at) => `This is sentence ${at + 1}.`).join(' ')

/** A model that needs no key: it refunds orders, asks for a colour, describes files, and otherwise tells a long story. */
export const demoModel: Model = {
  async *stream(request) {
    const answer = await answerTo(request)
    if (typeof answer !== 'string') {
      yield { type: 'tool.call', callId: randomUUID(), tool: answer.tool, input: JSON.stringify(answer.input) }
      yield finish('tool-calls')
      return
    }
    for (const delta of answer.split(/(?<= )/)) {
      await setTimeout(PAUSE_MS, undefined, { signal: request.signal })
      yield { type: 'text.delta', id: 'answer', delta }
    }
    yield finish('stop')
  },
}

async function answerTo({ messages, resolve }: ModelRequest): Promise<string | { tool: string; input: object }> {
  const parts = messages.at(-1)?.parts ?? []
  for (const part of parts) {
    if (part.type === 'tool-result') return `The result is: ${JSON.stringify(part.result)}`
    if (part.type === 'file') {
      const { byteLength } = (await resolve(part.reference)).bytes
      return `I see a file of the type ${part.mediaType} with ${byteLength} bytes.`
    }
  }
  const text = parts.map((part) => (part.type === 'text' ? part.text : '')).join(' ')
  const order = /refund\D*(\d+)/i.exec(text)?.[1]
  if (order !== undefined) return { tool: 'refund', input: { order: Number(order) } }
  if (/flowers/i.test(text)) return { tool: 'ask', input: { question: 'Which colour shall the flowers have?' } }
  return story
}

function finish(reason: 'stop' | 'tool-calls'): ModelEvent {
  return { type: 'finish', reason, usage: { inputTokens: 10, outputTokens: 10 } }
}
