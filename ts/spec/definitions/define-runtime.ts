import { type Checks, option, readOptions } from '../../arguments/options.ts'
import type { ContextRules, DataEnvironment, Limits, Retention, Tenant } from '../../types/tenant.ts'
import { listOf } from '../checks/agent-and-tool-checks.ts'
import { collectDefinitions } from '../checks/collect.ts'
import { Issues } from '../checks/issues.ts'
import { copyJson } from '../checks/plain-json.ts'
import { ownSpec } from '../dump/own-spec.ts'
import { readLimits, readRetention, readSpec } from '../dump/read-spec.ts'
import { BoundSpec, type RuntimeSpec } from '../dump/runtime-spec.ts'
import type { Provider } from '../dump/topology.ts'
import type { AgentSpec } from './agent.ts'
import { propertiesOf } from './definition.ts'
import type { PlanType } from './plan.ts'
import type { ReferenceType } from './reference.ts'
import { defineTenant } from './tenant.ts'
import type { inferred, Tool } from './tool.ts'

interface Terms {
  readonly limits?: Limits
  readonly retention?: Retention
}

const termChecks: Checks<Terms> = { limits: option.any, retention: option.any }

/** Argument of `defineRuntime`. */
export interface RuntimeDefinition<A extends readonly AgentSpec[], T extends readonly Tool[]> {
  readonly tenant: Tenant
  readonly agents?: A
  /** Tools beside those that the agents hold. */
  readonly tools?: T
  /** Reference types beside those that the tools hold. */
  readonly references?: readonly ReferenceType[]
  /** Plan types beside those that the planners hold. */
  readonly plans?: readonly PlanType[]
  /** By the first part of a model's name: the environment variables that the provider needs. */
  readonly providers?: { readonly [name: string]: Provider }
  readonly dataEnvironment?: DataEnvironment
  /** How much of its conversation a model is sent, for agents that do not say. */
  readonly context?: ContextRules
  readonly limits?: Limits
  readonly retention?: Retention
}

/** The tools that an agent holds. */
export type HeldTools<A extends AgentSpec> = A extends { readonly [inferred]?: { readonly tools: infer T } }
  ? Extract<T, Tool>
  : never

/** An agent, the agents that it was given as routes or tools, and theirs. */
export type WithHeld<A extends AgentSpec> =
  | A
  | (A extends { readonly [inferred]?: { readonly agents: infer H } }
      ? AgentSpec extends H
        ? never
        : WithHeld<Extract<H, AgentSpec>>
      : never)

/** The names among an agent's routes that were written where they can be checked. */
type RouteNamesOf<A> = A extends { readonly role: 'coordinator'; readonly routes: readonly (infer R extends string)[] }
  ? string extends R
    ? never
    : R
  : never

/** Refuses routes to agents that are not there, where both are known by name. */
export type KnownRoutes<A extends readonly AgentSpec[]> = [
  Exclude<RouteNamesOf<A[number]>, WithHeld<A[number]>['name']>,
] extends [never]
  ? unknown
  : { readonly agents: UnknownRoute<Exclude<RouteNamesOf<A[number]>, WithHeld<A[number]>['name']>> }

/** Text of the compiler error for a route to an unknown agent. */
export interface UnknownRoute<R extends string> {
  readonly 'no agent has the name of this route': R
}

/**
 * A tenant's runtime, described: validated as a whole, deeply frozen, and dumped by `JSON.stringify`.
 *
 * The definitions that agents and tools hold are registered too. Every problem is reported at once.
 *
 * @throws SpecError with every problem; TenantMismatchError if the data environment belongs to another tenant
 * @example
 * ```ts
 * const spec = defineRuntime({ tenant: defineTenant('acme', 'v1'), agents: [analyst] })
 * ```
 */
export function defineRuntime<const A extends readonly AgentSpec[] = [], const T extends readonly Tool[] = []>(
  definition: RuntimeDefinition<A, T> & KnownRoutes<A>,
): RuntimeSpec<T[number] | HeldTools<WithHeld<A[number]>>, WithHeld<A[number]>> {
  const issues = new Issues()
  const given = propertiesOf(definition, issues)
  const lists = collectDefinitions(
    {
      agents: listOf(given['agents']),
      tools: listOf(given['tools']),
      references: listOf(given['references']),
      plans: listOf(given['plans']),
    },
    issues,
  )
  const dump = { bailiwick: 1, ...given }
  return readSpec({ ...dump, ...whereNotMisshapen(given, lists) }, issues) as never
}

/** The collected lists, but not in place of something that is no list: that is to be refused. */
function whereNotMisshapen(given: Record<string, unknown>, lists: object): object {
  return Object.fromEntries(
    Object.entries(lists).filter(([key]) => given[key] === undefined || Array.isArray(given[key])),
  )
}

/**
 * The same topology for another tenant, in constant time: only the tenant, its limits and M8 are checked.
 *
 * @param options limits and retention of this tenant, in place of those of `spec`
 * @throws SpecError if the tenant, the limits or the retention is wrong; TenantMismatchError if the data environment
 *   belongs to another tenant
 * @example
 * ```ts
 * const globex = withTenant(acme, defineTenant('globex', 'v1'), { limits: { bytes: 1_000_000_000 } })
 * ```
 */
export function withTenant<Tools extends Tool, Agents extends AgentSpec>(
  spec: RuntimeSpec<Tools, Agents>,
  tenant: Tenant,
  options?: Terms,
): RuntimeSpec<Tools, Agents> {
  const shared = ownSpec(spec)
  const topology = BoundSpec.topologyOf(shared)
  if (shared === undefined || topology === undefined) return refuseSpec()
  const own = options === undefined ? shared : ownTerms(shared, options)
  return new BoundSpec(defineTenant(tenant?.resourceId, tenant?.version), topology, own.limits, own.retention) as never
}

function ownTerms(spec: RuntimeSpec, options: Terms): { limits: Limits; retention: Retention } {
  const issues = new Issues()
  const { limits, retention } = readOptions(options, termChecks)
  const own = {
    limits: limits === undefined ? spec.limits : readLimits(copyJson(limits, 'limits', issues, 1), issues),
    retention:
      retention === undefined ? spec.retention : readRetention(copyJson(retention, 'retention', issues, 1), issues),
  }
  issues.throwIfAny()
  return own
}

function refuseSpec(): never {
  const issues = new Issues()
  issues.add('', 'Must be a spec made by defineRuntime, withTenant or parseRuntimeSpec.')
  issues.throwIfAny()
  throw new TypeError('A refused spec has no issue.')
}
