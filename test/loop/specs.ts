import {
  defineCoordinator,
  defineExecutor,
  definePlan,
  definePlanner,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type Limits,
  type Tool,
} from '../../ts/index.ts'

export const input = { type: 'object' } as const
export const look = defineTool({ name: 'look', description: 'x', effects: 'read', input })
/** One that somebody is always asked about. */
export const send = defineTool({ name: 'send', description: 'x', approval: 'always', input })

/** A tenant with one specialist. */
export function specOf(resourceId: string, tools: readonly Tool[] = [look], limits: Limits = {}) {
  const agents = [defineSpecialist({ name: 'one', model: 'test/m', prompt: 'x', tools })]
  return defineRuntime({ tenant: defineTenant(resourceId, 'v1'), agents, limits })
}

/** acme with a coordinator, a planner, and an executor with these tools, and with a model of its own unless there is none. */
export function planningSpec(tools: readonly Tool[], worker?: 'test/worker') {
  const agents = [
    defineCoordinator({ name: 'front', model: 'test/front', prompt: 'x', routes: ['planner'] }),
    definePlanner({ name: 'planner', model: 'test/planner', prompt: 'x', plan: definePlan({ name: 'report' }) }),
    defineExecutor({ name: 'worker', prompt: 'x', tools, ...(worker === undefined ? {} : { model: worker }) }),
  ]
  return defineRuntime({ tenant: defineTenant('acme', 'v1'), agents })
}
