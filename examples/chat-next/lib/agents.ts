import { defineQuestion, defineRuntime, defineSpecialist, defineTenant, defineTool } from 'bailiwick'
import { z } from 'zod'

const refund = defineTool({
  name: 'refund',
  description: 'Refunds an order. A person must approve it.',
  input: z.object({ order: z.number().int().positive() }),
  approval: 'always',
})

const ask = defineQuestion({
  name: 'ask',
  description: 'Asks the customer for the colour of the bouquet',
  answer: z.enum(['red', 'white', 'yellow']),
})

const clerk = defineSpecialist({
  name: 'clerk',
  model: 'anthropic/claude-sonnet-4-5',
  prompt:
    'You help the customers of a flower shop. Refund orders that arrived broken. Ask for the colour before you order flowers.',
  tools: [refund, ask],
})

/** What every tenant has. The host puts the tenant of the session in the place of this one. */
export const spec = defineRuntime({ tenant: defineTenant('template', 'v1'), agents: [clerk] })

/** What the tools do. A question has no handler: a person answers it. */
export const tools = {
  refund: ({ order }: { order: number }) => `Order ${order} is refunded.`,
}
