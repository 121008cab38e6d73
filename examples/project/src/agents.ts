// src/agents.ts
import { defineRuntime, defineSpecialist, defineTenant, defineTool } from 'bailiwick'
import { z } from 'zod'
import { modelName } from './models.ts'

const charge = defineTool({
  name: 'charge',
  description: 'Charges a customer',
  input: z.object({ customer: z.string(), euros: z.int().positive() }),
  approval: 'always', // a person decides about exactly these arguments
  onInterrupted: 'retry', // after a crash it is called again, with the same idempotency key
})
const clerk = defineSpecialist({ name: 'clerk', model: modelName, prompt: 'Charge customers.', tools: [charge] })

export const spec = defineRuntime({ tenant: defineTenant('acme', 'v1'), agents: [clerk] })
