import type { ToolGenerator, ToolHandler } from '../../types/callbacks.ts'
import type { RuntimeSpec } from '../dump/runtime-spec.ts'
import type { StandardSchema } from '../schema/schema.ts'
import type { AgentSpec } from './agent.ts'
import { behindOf } from './definition.ts'
import type { inferred, QuestionTool, Tool } from './tool.ts'

/** The tools of a spec. */
export type ToolsOf<Spec> = Spec extends RuntimeSpec<infer Tools, infer _Agents> ? Tools : never

/** The agents of a spec. */
export type AgentsOf<Spec> = Spec extends RuntimeSpec<infer _Tools, infer Agents> ? Agents : never

/** Input type of a tool's handler. */
export type ToolInput<T extends Tool> = T extends Tool<string, infer I, infer _O> ? I : never

/** Output type of a tool's handler. */
export type ToolOutput<T extends Tool> = T extends Tool<string, infer _I, infer O> ? O : never

/** The tools that have handlers: a person answers the others. */
type HandledTools<Spec> = Exclude<ToolsOf<Spec>, QuestionTool>

/** The handlers that a spec asks for: one for each of its tools, typed by the tool's schemas. */
export type ToolHandlers<Spec> = {
  readonly [T in HandledTools<Spec> as T['name']]: ToolHandler<ToolInput<T>, ToolOutput<T>>
}

/** The part of a model's name that says whose it is. What is both a text and a list is nothing: `AgentSpec` takes either. */
type ProviderIn<M> = M extends string & readonly string[]
  ? never
  : M extends readonly (infer One)[]
    ? ProviderIn<One>
    : string extends M
      ? string
      : M extends `${infer Provider}/${string}`
        ? Provider
        : never

/** The providers of an agent's models, where they were written where TypeScript can read them. */
type ProvidersOf<A> = A extends { readonly model?: infer M } ? ProviderIn<M> : never

/**
 * The providers whose models a spec asks for; `string` where the names of its models are not known to TypeScript.
 */
export type ProviderNames<Spec> = ProvidersOf<AgentsOf<Spec>>

/** Whether a spec has agents that TypeScript knows. */
export type HasAgents<Spec> = [AgentsOf<Spec>] extends [never]
  ? false
  : string extends AgentsOf<Spec>['name']
    ? false
    : true

/** Handlers for a spec's tools; each may be a function or a generator. */
export type GivenHandlers<Spec> = {
  readonly [T in HandledTools<Spec> as T['name']]:
    | ToolHandler<ToolInput<T>, ToolOutput<T>>
    | ToolGenerator<ToolInput<T>, ToolOutput<T>>
}

/** The names of the specialists of a spec. */
export type SpecialistNames<Spec> = Extract<AgentsOf<Spec>, { readonly role: 'specialist' }>['name']

/** Output type of the agent of this name. */
export type AgentOutput<Spec, N extends string> =
  Extract<AgentsOf<Spec>, { readonly name: N }> extends { readonly [inferred]?: { readonly output: infer O } }
    ? O
    : unknown

/** The Standard Schemas that were given for a definition's properties (`input`, `output`, `schema`, `details`). */
export function standardSchemasOf(definition: AgentSpec | Tool | object): {
  readonly [property: string]: StandardSchema
} {
  return behindOf(definition).schemas
}
