import { createRuntime, type Retention, type Runtime, type Store } from '../../ts/index.ts'
import { models, specOf } from '../../ts/isolation/environment.ts'

/** A runtime with one agent, which answers every prompt in the same words. */
export function runtimeWithAgent(store: Store, resourceId: string, retention: Retention = {}): Promise<Runtime> {
  return createRuntime(specOf(resourceId, 'v1', retention), { store, models: models() })
}
