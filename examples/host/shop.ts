import {
  createHost,
  defineReference,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type Host,
  type ModelEvent,
  type ModelRequest,
  type Store,
} from 'bailiwick'
import { scriptedModel } from 'bailiwick/testing'
import { z } from 'zod'

const listOrders = defineTool({
  name: 'list_orders',
  description: 'Lists the orders of the shop',
  input: z.object({}),
  effects: 'read',
  result: defineReference({ name: 'orders', description: 'Orders of a shop', schema: { type: 'array' } }),
})
const refund = defineTool({
  name: 'refund',
  description: 'Refunds an order. A person agrees first.',
  input: z.object({ order: z.number().int().positive() }),
  approval: 'always',
})
const agent = defineSpecialist({
  name: 'clerk',
  model: 'script/clerk',
  prompt: 'Help the people who run this shop with its orders.',
  tools: [listOrders, refund],
})
// The tenant is replaced by that of each token.
const topology = defineRuntime({ tenant: defineTenant('template', 'v1'), agents: [agent] })

/** Serves the shops in a store, of which at most `maxOpen` have an open handle. */
export function openShops(store: Store | string, maxOpen = 1000): Promise<Host> {
  const orders = Array.from({ length: 200 }, (_, at) => ({
    order: at + 1,
    product: `product ${at % 7}`,
    price: 10 + (at % 9),
  }))
  return createHost(topology, {
    store,
    maxOpen,
    models: { script: scriptedModel(clerk) },
    tools: { list_orders: () => orders, refund: ({ order }) => `Order ${order} is refunded.` },
    onError: (error, about) => console.error(error, about),
  })
}

/** A scripted model: it refunds the order that a prompt about a refund names, and otherwise lists orders. */
function clerk({ messages }: ModelRequest): readonly ModelEvent[] {
  const part = messages.at(-1)?.parts[0]
  if (part?.type === 'tool-result') {
    return says(typeof part.result === 'string' ? part.result : `Here they are: ${JSON.stringify(part.result)}`)
  }
  const order = part?.type === 'text' ? /refund\D*(\d+)/i.exec(part.text)?.[1] : undefined
  return order === undefined ? calls('list_orders', {}) : calls('refund', { order: Number(order) })
}

function says(text: string): ModelEvent[] {
  const words = text.split(/(?<= )/)
  const finish: ModelEvent = { type: 'finish', reason: 'stop', usage: { inputTokens: 10, outputTokens: words.length } }
  return [...words.map((delta): ModelEvent => ({ type: 'text.delta', id: 'answer', delta })), finish]
}

function calls(tool: string, input: object): ModelEvent[] {
  const usage = { inputTokens: 10, outputTokens: 5 }
  return [
    { type: 'tool.call', callId: 'call', tool, input: JSON.stringify(input) },
    { type: 'finish', reason: 'tool-calls', usage },
  ]
}
