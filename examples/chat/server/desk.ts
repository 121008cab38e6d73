import {
  createHost,
  defineQuestion,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type Host,
  type Model,
  type Runtime,
} from 'bailiwick'
import { z } from 'zod'

const refund = defineTool({
  name: 'refund',
  description: 'Refunds an order. A person approves it first.',
  input: z.object({ order: z.number().int().positive() }),
  approval: 'always',
})
const ship = defineTool({
  name: 'ship',
  description: 'Ships an order the way the person has chosen. Ask first.',
  input: z.object({ order: z.number().int().positive(), how: z.string() }),
})
const stock = defineTool({
  name: 'stock',
  description: 'Looks up how many items are in the warehouse',
  input: z.object({ item: z.string() }),
  effects: 'read',
})
const ask = defineQuestion({
  name: 'ask',
  description: 'Asks the person how an order is to be shipped',
  answer: z.enum(['by post', 'by courier']),
})
const clerk = defineSpecialist({
  name: 'clerk',
  model: 'desk/clerk',
  prompt:
    'Help the people who run this shop with its orders: refund and ship them, look up the stock, and describe the files that they send. ' +
    'Before you ship an order, ask how.',
  tools: [refund, ship, stock, ask],
})
// The tenant is replaced by that of each person.
const topology = defineRuntime({ tenant: defineTenant('template', 'v1'), agents: [clerk] })

/** Serves all tenants, and goes on with runs after an approval, an answer, or a crash. */
export type Desk = Host<typeof topology>
/** The runtime of one tenant. */
export type DeskRuntime = Runtime<typeof topology>

/** Opens the desk on a store, and takes up the runs that a process before left. */
export async function openDesk(store: string, model: Model): Promise<Desk> {
  const desk = await createHost(topology, {
    store,
    models: { desk: model },
    tools: {
      refund: ({ order }) => `Order ${order} is refunded.`,
      ship: ({ order, how }) => `Order ${order} goes out ${how}.`,
      stock: () => {
        // What a driver says when it fails. None of it is for people: the page shows `An error occurred.`
        throw new Error('connect ECONNREFUSED warehouse.internal:5432, user=desk password=hunter2')
      },
    },
    onError: (error, about) => console.error(error, about),
  })
  await desk.start()
  return desk
}
