import type { AgentSpec } from './agent.ts'
import type { ToolGenerator, ToolHandler } from './callbacks.ts'
import { behindOf } from './definition.ts'
import type { RuntimeSpec } from './runtime-spec.ts'
import type { StandardSchema } from './schema.ts'
import type { inferred, Tool } from './tool.ts'

/** The tools of a spec. */
export type ToolsOf<Spec> = Spec extends RuntimeSpec<infer Tools, infer _Agents> ? Tools : never

/** The agents of a spec. */
export type AgentsOf<Spec> = Spec extends RuntimeSpec<infer _Tools, infer Agents> ? Agents : never

/** What a tool's handler is given. */
export type ToolInput<T extends Tool> = T extends Tool<string, infer I, infer _O> ? I : never

/** What a tool's handler answers. */
export type ToolOutput<T extends Tool> = T extends Tool<string, infer _I, infer O> ? O : never

/** The handlers that a spec asks for: one for each of its tools, typed by the tool's schemas. */
export type ToolHandlers<Spec> = {
  readonly [T in ToolsOf<Spec> as T['name']]: ToolHandler<ToolInput<T>, ToolOutput<T>>
}

/** The same, each as a function or as a generator. */
export type GivenHandlers<Spec> = {
  readonly [T in ToolsOf<Spec> as T['name']]:
    | ToolHandler<ToolInput<T>, ToolOutput<T>>
    | ToolGenerator<ToolInput<T>, ToolOutput<T>>
}

/** The names of the specialists of a spec. */
export type SpecialistNames<Spec> = Extract<AgentsOf<Spec>, { readonly role: 'specialist' }>['name']

/** What the agent of this name answers. */
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
