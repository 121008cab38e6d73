import { checkAgent } from '../checks/agent-and-tool-checks.ts'
import { Issues } from '../checks/issues.ts'
import { agentShapes } from '../checks/shapes.ts'
import { type Schema, type SchemaOutput, toJsonSchema } from '../schema/schema.ts'
import type {
  AgentRole,
  AgentSpec,
  AgentsAmong,
  Coordinator,
  CoordinatorDefinition,
  Executor,
  ExecutorDefinition,
  ModelNames,
  Planner,
  PlannerDefinition,
  RouteNames,
  Specialist,
  SpecialistDefinition,
  ToolsAmong,
} from './agent.ts'
import { freezeDefinition, heldIn, nameOf, propertiesOf, standardSchemas } from './definition.ts'
import type { Tool } from './tool.ts'

/**
 * The entry agent of `query`: it receives the request, and answers or calls the agents of its routes, of which there is at least one. A spec
 * has at most one coordinator.
 *
 * @throws SpecError with every problem of the definition
 */
export function defineCoordinator<
  const N extends string,
  const R extends readonly (AgentSpec | string)[],
  const T extends readonly (Tool | AgentSpec | string)[] = [],
  const M extends ModelNames = ModelNames,
>(
  definition: CoordinatorDefinition<N, T, M, R>,
): Coordinator<N, ToolsAmong<T>, M, RouteNames<R>, AgentsAmong<R> | AgentsAmong<T>> {
  return defineAgent('coordinator', definition) as never
}

/**
 * An agent that makes plans of one type, which are saved as drafts and need an approval.
 *
 * @throws SpecError with every problem of the definition
 */
export function definePlanner<
  const N extends string,
  const T extends readonly (Tool | AgentSpec | string)[] = [],
  const M extends ModelNames = ModelNames,
>(definition: PlannerDefinition<N, T, M>): Planner<N, ToolsAmong<T>, M, AgentsAmong<T>> {
  return defineAgent('planner', definition) as never
}

/**
 * The agent that runs approved plans with its tools; without a model by default.
 *
 * @throws SpecError with every problem of the definition
 */
export function defineExecutor<
  const N extends string,
  const T extends readonly (Tool | AgentSpec | string)[],
  const M extends ModelNames = never,
>(definition: ExecutorDefinition<N, T, M>): Executor<N, ToolsAmong<T>, M, AgentsAmong<T>> {
  return defineAgent('executor', definition) as never
}

/**
 * An agent that answers with its own tools. It is reached by `query`, by `runSpecialist`, by a route, and as a tool of another agent.
 *
 * @throws SpecError with every problem of the definition
 * @example
 * ```ts
 * const analyst = defineSpecialist({
 *   name: 'analyst',
 *   model: 'anthropic/claude-opus-4-5',
 *   prompt: 'Answer with numbers.',
 *   tools: [search],
 *   output: z.object({ answer: z.string() }),
 * })
 * ```
 */
export function defineSpecialist<
  const N extends string,
  const T extends readonly (Tool | AgentSpec | string)[] = [],
  const S extends Schema | undefined = undefined,
  const M extends ModelNames = ModelNames,
>(
  definition: SpecialistDefinition<N, T, S, M>,
): Specialist<N, S extends Schema ? SchemaOutput<S> : string, ToolsAmong<T>, M, AgentsAmong<T>> {
  return defineAgent('specialist', definition) as never
}

function defineAgent(role: AgentRole, definition: object): object {
  const issues = new Issues()
  const given = propertiesOf(definition, issues)
  const { tools, routes } = given
  const held = heldIn(Array.isArray(tools) ? tools : [])
  const draft = {
    role,
    ...given,
    routes: Array.isArray(routes) ? routes.map(nameOf) : routes,
    tools: Array.isArray(tools) ? tools.map(nameOf) : tools,
    plan: nameOf(given['plan']),
    output: toJsonSchema(given['output'], 'output', issues, { rootInPlace: true }),
  }
  const behind = {
    agents: [...heldIn(Array.isArray(routes) ? routes : []), ...held.filter(isAgent)],
    tools: held.filter((one) => !isAgent(one)),
    plans: heldIn([given['plan']]),
    schemas: standardSchemas(given, ['output']),
  }
  return freezeDefinition(agentShapes[role], draft, { kind: 'agent', ...behind }, issues, checkAgent)
}

function isAgent(definition: object): boolean {
  return 'role' in definition
}
