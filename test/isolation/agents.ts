import {
  createRuntime,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  type Retention,
  type Runtime,
  type Store,
} from '../../ts/index.ts'
import { scriptedModel } from '../../ts/testing/index.ts'

/** A runtime with one agent, which answers every prompt in the same words. */
export function runtimeWithAgent(store: Store, resourceId: string, retention: Retention = {}): Promise<Runtime> {
  const echo = defineSpecialist({ name: 'echo', model: 'scripted/any', prompt: 'Answer.' })
  const spec = defineRuntime({ tenant: defineTenant(resourceId, 'v1'), agents: [echo], retention })
  const model = scriptedModel(() => [
    { type: 'text.delta', id: 'text', delta: 'an answer' },
    { type: 'finish', reason: 'stop', usage: { inputTokens: 1, outputTokens: 1 } },
  ])
  return createRuntime(spec, { store, models: { scripted: model } })
}
