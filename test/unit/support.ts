import {
  defineCoordinator,
  defineExecutor,
  definePlan,
  definePlanner,
  defineReference,
  defineSpecialist,
  defineTenant,
  defineTool,
  SpecError,
  type SpecIssue,
} from '../../ts/index.ts'

/** The issues that `define` is refused with; fails if it is not refused. */
export function issuesOf(define: () => unknown): readonly SpecIssue[] {
  try {
    define()
  } catch (error) {
    if (SpecError.isInstance(error)) return error.issues
    throw error
  }
  throw new Error('It was accepted.')
}

/** The paths of those issues. */
export function pathsOf(define: () => unknown): string[] {
  return issuesOf(define).map((issue) => issue.path)
}

/** A team with every role, in which most things are registered by being held. */
export function team() {
  const table = defineReference({ name: 'table', mediaType: 'application/json', glimpse: { rows: 3 } })
  const search = defineTool({
    name: 'search',
    description: 'Finds products',
    input: { type: 'object', properties: { text: { type: 'string' }, within: { type: 'string' } } },
    effects: 'read',
    references: { within: table },
    result: table,
  })
  const report = definePlan({ name: 'report', details: { type: 'object' } })
  const analyst = defineSpecialist({ name: 'analyst', model: 'test/small', prompt: 'Analyse.', tools: [search] })
  const planner = definePlanner({ name: 'planner', model: ['test/big', 'test/small'], prompt: 'Plan.', plan: report })
  const executor = defineExecutor({ name: 'executor', tools: [search] })
  const front = defineCoordinator({
    name: 'front',
    model: 'test/small',
    prompt: 'Route.',
    routes: ['analyst', 'planner'],
    tools: ['search'],
  })
  return { table, search, report, analyst, planner, executor, front, agents: [front, analyst, planner, executor] }
}

export const acme = defineTenant('acme', 'v1')
export const globex = defineTenant('globex', 'v1')
