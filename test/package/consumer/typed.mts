import {
  BailiwickError,
  createRuntime,
  defineReference,
  defineRuntime,
  defineTenant,
  openStore,
  type Reference,
  type RunEvent,
} from 'bailiwick'
import { fromAiSdk, toUIMessageStream } from 'bailiwick/ai-sdk'
import { runIsolation } from 'bailiwick/isolation'
import { mcpTools } from 'bailiwick/mcp'
import { scriptedModel } from 'bailiwick/testing'

const spec = defineRuntime({
  tenant: defineTenant('acme', 'v1'),
  references: [defineReference({ name: 'movies', ttlMs: 1_000 })],
})

export async function firstReference(): Promise<Reference | undefined> {
  const store = await openStore('memory:')
  try {
    const telemetry = { attributes: () => ({ region: 'north' }), recordContent: false }
    const runtime = await createRuntime(spec, { store, telemetry })
    const reference = await runtime.references.put('movies', [{ title: 'Metropolis' }])
    const kept: string = reference.id
    // @ts-expect-error a handle serves one tenant: no verb takes another
    await runtime.references.resolve(kept, { tenant: 'globex' })
    return reference
  } catch (error) {
    if (BailiwickError.isInstance(error)) return undefined
    throw error
  } finally {
    await store.close()
  }
}

export const models = [
  scriptedModel([[{ type: 'finish', reason: 'stop', usage: {} }]]),
  // @ts-expect-error the name of a model is no model
  fromAiSdk('anthropic/claude'),
]

export const first = (events: AsyncIterable<RunEvent>) => toUIMessageStream(events).getReader().read()

export const tools = (client: Parameters<typeof mcpTools>[0]) => mcpTools(client, { prefix: 'x_' })

export const isIsolated: Promise<boolean> = runIsolation({ url: 'memory:' }).then(({ ok }) => ok)
