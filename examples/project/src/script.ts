// A model that answers by a script, so that everything runs without a key: it understands "Charge kim 42 euros".
import type { ModelEvent } from 'bailiwick'
import { scriptedModel } from 'bailiwick/testing'

const usage = { inputTokens: 20, outputTokens: 8 }

export const script = scriptedModel(({ messages }) => {
  const part = messages.at(-1)?.parts[0]
  if (part?.type === 'tool-result') return says(part.isError ? 'Nobody was charged.' : 'It is charged.')
  const [, customer, euros] = /charge (\w+) (\d+) euro/i.exec(part?.type === 'text' ? part.text : '') ?? []
  if (!customer) return says('Ask me to charge somebody: Charge kim 42 euros')
  return [
    { type: 'tool.call', callId: 'call-1', tool: 'charge', input: JSON.stringify({ customer, euros: Number(euros) }) },
    { type: 'finish', reason: 'tool-calls', usage },
  ]
})

function says(text: string): ModelEvent[] {
  return [
    { type: 'text.delta', id: 'answer', delta: text },
    { type: 'finish', reason: 'stop', usage },
  ]
}
