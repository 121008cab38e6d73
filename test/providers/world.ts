import { fromAiSdk } from 'bailiwick/ai-sdk'
import * as z from 'zod'
import {
  createRuntime,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type Model,
  type ModelEvent,
} from '../../ts/index.ts'
import { type Answer, type ProviderServer, providerServer } from '../models/provider-server.ts'
import { openFresh } from '../support/stores.ts'
import type { Provider } from './packages/provider.ts'

const search = defineTool({
  name: 'search',
  description: 'Finds products',
  effects: 'read',
  input: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
})

/** What an agent with an output answers. */
export const output = z.object({ found: z.array(z.object({ name: z.string(), count: z.number() })) })

/** The model of a provider's package, at a server that answers by a script. */
export async function modelAt(
  provider: Provider,
  answers: readonly Answer[] | Answer,
): Promise<{ model: Model; server: ProviderServer }> {
  const server = await providerServer(answers)
  return { model: fromAiSdk(provider.create(server.url)), server }
}

const asks = { prompt: 'Be brief.' } as const

/** An agent that searches, and one that answers by a schema. */
const agents = {
  searcher: (model: `${string}/${string}`) => defineSpecialist({ name: 'searcher', model, ...asks, tools: [search] }),
  counter: (model: `${string}/${string}`) => defineSpecialist({ name: 'counter', model, ...asks, output }),
}

/** A runtime with one agent, whose model is a provider's. */
export async function runtimeAt(
  provider: Provider,
  answers: readonly Answer[],
  agent: keyof typeof agents = 'searcher',
) {
  const { model, server } = await modelAt(provider, answers)
  const spec = defineRuntime({
    tenant: defineTenant('acme', 'v1'),
    agents: [agents[agent](`test/${provider.modelId}`)],
  })
  const tools = agent === 'searcher' ? { search: ({ text }: { text: string }) => `Three ${text}.` } : {}
  const store = await openFresh('memory')
  const runtime = await createRuntime(spec, { store, models: { test: inEvents(model) }, tools: tools as never })
  return { runtime, server }
}

/** What the core takes besides, and these tests do not look at. */
const asides = new Set<ModelEvent['type']>(['usage', 'warning'])

function inEvents(model: Model): Model {
  return {
    async *stream(request) {
      for await (const event of model.stream(request)) if (!asides.has(event.type)) yield event
    },
  }
}
