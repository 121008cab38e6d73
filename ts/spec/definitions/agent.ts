import type { ModelSettings, Prompt } from '../../types/callbacks.ts'
import type { JsonSchema } from '../../types/json.ts'
import type { ContextRules, RunLimits } from '../../types/tenant.ts'
import type { PlanType } from './plan.ts'
import type { inferred, Tool } from './tool.ts'

/** Role of an agent. */
export type AgentRole = 'coordinator' | 'planner' | 'executor' | 'specialist'

/**
 * An agent. Frozen JSON that names its tools, routes and plan type.
 *
 * @typeParam N its name
 * @typeParam O what it answers
 * @typeParam T the tools that it holds
 */
export interface AgentSpec<N extends string = string, O = unknown, T extends Tool = Tool> {
  readonly role: AgentRole
  readonly name: N
  readonly description?: string
  /** `provider/model`, or several, tried in order until the first delta. Absent only in an executor. */
  readonly model?: string | readonly string[]
  readonly modelSettings?: ModelSettings
  readonly prompt?: string | Prompt
  /** The agents that a coordinator may hand over to. */
  readonly routes?: readonly string[]
  /** The plan type that a planner makes. */
  readonly plan?: string
  /** The tools that it may call, and the agents that it may call as tools. */
  readonly tools: readonly string[]
  /** The JSON Schema of a specialist's answer. */
  readonly output?: JsonSchema
  /**
   * Limits of one call of this agent. All its steps and calls also count for the run. If it reaches one when another agent has called it,
   * its call fails with `AGENT_FAILED`, its partial text is dropped, and its caller goes on. A called agent has no default limits of its
   * own. Those of the entry agent limit the whole run.
   */
  readonly limits?: RunLimits
  /** How much of its conversation its model is sent. Default: `context` of `defineRuntime`. */
  readonly context?: ContextRules
  readonly [inferred]?: { readonly output: O; readonly tools: T }
}

/** The name of a model, or several: see `model`. */
export type ModelNames = string | readonly string[]

/**
 * The agent that receives `query`.
 *
 * @typeParam M its model, as it was written
 * @typeParam R the names of its routes
 * @typeParam H the agents that it was given as routes
 */
export type Coordinator<
  N extends string = string,
  T extends Tool = Tool,
  M extends ModelNames = ModelNames,
  R extends string = string,
  H extends AgentSpec = AgentSpec,
> = AgentSpec<N, string, T> & {
  readonly role: 'coordinator'
  readonly model: M
  readonly routes: readonly R[]
  readonly [inferred]?: { readonly agents: H }
}

/** The agent that makes plans. */
export type Planner<
  N extends string = string,
  T extends Tool = Tool,
  M extends ModelNames = ModelNames,
  H extends AgentSpec = AgentSpec,
> = AgentSpec<N, string, T> & {
  readonly role: 'planner'
  readonly model: M
  readonly [inferred]?: { readonly agents: H }
}

/** The agent that runs approved plans. */
export type Executor<
  N extends string = string,
  T extends Tool = Tool,
  M extends ModelNames = ModelNames,
  H extends AgentSpec = AgentSpec,
> = AgentSpec<N, string, T> & {
  readonly role: 'executor'
  readonly model?: M
  readonly [inferred]?: { readonly agents: H }
}

/** An agent that answers with its own tools. */
export type Specialist<
  N extends string = string,
  O = string,
  T extends Tool = Tool,
  M extends ModelNames = ModelNames,
  H extends AgentSpec = AgentSpec,
> = AgentSpec<N, O, T> & {
  readonly role: 'specialist'
  readonly model: M
  readonly [inferred]?: { readonly agents: H }
}

/** The tools among what an agent was given; names say nothing to TypeScript. */
export type ToolsAmong<T extends readonly (Tool | AgentSpec | string)[]> = Extract<T[number], Tool>

/** The agents among what an agent was given. */
export type AgentsAmong<T extends readonly (Tool | AgentSpec | string)[]> = Extract<T[number], AgentSpec>

interface Described<N extends string> {
  /** `^[a-z][a-z0-9_-]{0,63}$` */
  readonly name: N
  /** Description for other agents. */
  readonly description?: string
  /**
   * Limits of one call of this agent. All its steps and calls also count for the run. If it reaches one when another agent has called it,
   * its call fails with `AGENT_FAILED`, its partial text is dropped, and its caller goes on. A called agent has no default limits of its
   * own. Those of the entry agent limit the whole run.
   */
  readonly limits?: RunLimits
  /** How much of its conversation its model is sent. Default: `context` of `defineRuntime`. */
  readonly context?: ContextRules
}

/** The names of routes, some of which may be given as the agents themselves. */
export type RouteNames<R extends readonly (AgentSpec | string)[]> =
  | Extract<R[number], string>
  | Extract<R[number], AgentSpec>['name']

interface ModelUser<M extends ModelNames> {
  /** `provider/model`, or several, tried in order until the first delta. */
  readonly model: M
  readonly modelSettings?: ModelSettings
  readonly prompt: string | Prompt
}

/** Argument of `defineCoordinator`. */
export interface CoordinatorDefinition<
  N extends string,
  T extends readonly (Tool | AgentSpec | string)[],
  M extends ModelNames = ModelNames,
  R extends readonly (AgentSpec | string)[] = readonly (AgentSpec | string)[],
> extends Described<N>,
    ModelUser<M> {
  /** The agents that it may hand over to, or their names; at least one. Agents given here are registered with it. */
  readonly routes: R
  /** Its tools, and agents that it calls as tools: see `tools` of `SpecialistDefinition`. */
  readonly tools?: T
}

/** Argument of `definePlanner`. */
export interface PlannerDefinition<
  N extends string,
  T extends readonly (Tool | AgentSpec | string)[],
  M extends ModelNames = ModelNames,
> extends Described<N>,
    ModelUser<M> {
  /** The type of the plans that it makes. */
  readonly plan: PlanType | string
  /** Its tools, and agents that it calls as tools: see `tools` of `SpecialistDefinition`. */
  readonly tools?: T
}

/** Argument of `defineExecutor`. */
export interface ExecutorDefinition<
  N extends string,
  T extends readonly (Tool | AgentSpec | string)[],
  M extends ModelNames = ModelNames,
> extends Described<N>,
    Partial<ModelUser<M>> {
  /** The tools that a plan's steps may use, and agents: their input is `{ task }`. */
  readonly tools: T
}

/** Argument of `defineSpecialist`. */
export interface SpecialistDefinition<
  N extends string,
  T extends readonly (Tool | AgentSpec | string)[],
  S,
  M extends ModelNames = ModelNames,
> extends Described<N>,
    ModelUser<M> {
  /**
   * Its tools, and agents that it calls as tools, or the names of either. Its model calls an agent with `{ task: text }`, and an executor with
   * `{ planId }`; the agent works in a conversation of its own, under its own `limits`, within the same run. Agents given here are registered
   * with it.
   */
  readonly tools?: T
  /**
   * Schema of its answer: a Standard Schema that can give its JSON Schema, or a JSON Schema. Default: text. A Standard Schema's
   * own `validate` decides, so coercion, defaults, transforms and refinements apply; what it refuses goes back
   * to the model.
   */
  readonly output?: S
}
