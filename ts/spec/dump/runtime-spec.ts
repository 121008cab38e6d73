import { TenantMismatchError } from '../../errors/call-errors.ts'
import type { ContextRules, DataEnvironment, Limits, Retention, Tenant } from '../../types/tenant.ts'
import type { AgentSpec } from '../definitions/agent.ts'
import type { PlanType } from '../definitions/plan.ts'
import type { ReferenceType } from '../definitions/reference.ts'
import type { Tool } from '../definitions/tool.ts'
import type { Provider, Topology } from './topology.ts'

/** Marks specs, so that another copy of this package in the same process recognises them: the symbol registry is shared. */
const brand: unique symbol = Symbol.for('bailiwick.spec')

/** The format of the dumps that this version writes and reads. */
const FORMAT = 1

/**
 * Everything that a runtime is told about one tenant and its agents, validated and deeply frozen. Made by
 * `defineRuntime`, `withTenant` or `parseRuntimeSpec`; `JSON.stringify` gives its dump.
 *
 * @typeParam Tools the union of its tools, those that agents hold included
 * @typeParam Agents the union of its agents
 */
export interface RuntimeSpec<Tools extends Tool = Tool, Agents extends AgentSpec = AgentSpec> {
  readonly tenant: Tenant
  readonly agents: readonly Agents[]
  readonly tools: readonly Tools[]
  readonly references: readonly ReferenceType[]
  readonly plans: readonly PlanType[]
  readonly providers: { readonly [name: string]: Provider }
  readonly dataEnvironment: DataEnvironment | undefined
  readonly context: ContextRules | undefined
  readonly limits: Limits
  readonly retention: Retention
  /** The dump: keys in a fixed order, tenant and version shown, no functions, no secrets. */
  toJSON(): RuntimeSpecDump
}

/** The dump of a spec, as `JSON.stringify` writes it. */
export interface RuntimeSpecDump {
  /** The format of the dump. */
  readonly bailiwick: 1
  readonly tenant: Tenant
  readonly agents: readonly AgentSpec[]
  readonly tools: readonly Tool[]
  readonly references: readonly ReferenceType[]
  readonly plans: readonly PlanType[]
  readonly providers: { readonly [name: string]: Provider }
  readonly dataEnvironment?: DataEnvironment
  readonly context?: ContextRules
  readonly limits: Limits
  readonly retention: Retention
}

/**
 * The one implementation of `RuntimeSpec`. A spec is a tenant's few words beside a topology that it shares, so that a
 * hundred thousand tenants of one topology are cheap.
 */
export class BoundSpec implements RuntimeSpec {
  readonly tenant: Tenant
  readonly agents: readonly AgentSpec[]
  readonly tools: readonly Tool[]
  readonly references: readonly ReferenceType[]
  readonly plans: readonly PlanType[]
  readonly providers: { readonly [name: string]: Provider }
  readonly dataEnvironment: DataEnvironment | undefined
  readonly context: ContextRules | undefined
  readonly limits: Limits
  readonly retention: Retention
  readonly #topology: Topology

  /** @throws TenantMismatchError if the topology's data environment belongs to another tenant (M8) */
  constructor(tenant: Tenant, topology: Topology, limits: Limits, retention: Retention) {
    refuseForeignEnvironment(tenant.resourceId, topology.dataEnvironment?.tenantId)
    this.tenant = tenant
    this.agents = topology.agents
    this.tools = topology.tools
    this.references = topology.references
    this.plans = topology.plans
    this.providers = topology.providers
    this.dataEnvironment = topology.dataEnvironment
    this.context = topology.context
    this.limits = limits
    this.retention = retention
    this.#topology = topology
    Object.freeze(this)
  }

  toJSON(): RuntimeSpecDump {
    const { tenant, limits, retention } = this
    return { bailiwick: FORMAT, tenant, ...topologyDump(this.#topology), limits, retention }
  }

  /** @internal */
  get [brand](): number {
    return FORMAT
  }

  /** The topology of a spec that was made here, else nothing. */
  static topologyOf(spec: unknown): Topology | undefined {
    return typeof spec === 'object' && spec !== null && #topology in spec ? spec.#topology : undefined
  }
}

/**
 * Returns the contents of a spec of another copy of the package, to be checked like a dump. Its definitions are the same objects that it
 * holds, so that their schemas stay. Nothing if `value` is no such spec.
 */
export function foreignDump(value: unknown): object | undefined {
  try {
    const spec = value as RuntimeSpec & { readonly [brand]?: unknown }
    if (typeof spec !== 'object' || spec === null || typeof spec[brand] !== 'number') return undefined
    const { tenant, agents, tools, references, plans, providers, dataEnvironment, context, limits, retention } = spec
    const topology = topologyDump({ agents, tools, references, plans, providers, dataEnvironment, context })
    return { bailiwick: spec[brand], tenant, ...topology, limits, retention }
  } catch {
    return undefined
  }
}

/** Throws if the data environment belongs to another tenant. The foreign name is not repeated. */
export function refuseForeignEnvironment(resourceId: string, tenantId: string | undefined): void {
  if (tenantId === undefined || tenantId === resourceId) return
  throw new TenantMismatchError(
    'The data environment belongs to another tenant than the one the spec is for. Give each tenant its own data environment.',
  )
}

/** Returns the topology's part of a dump. */
export function topologyDump(
  topology: Topology,
): Omit<RuntimeSpecDump, 'bailiwick' | 'tenant' | 'limits' | 'retention'> {
  const { agents, tools, references, plans, providers, dataEnvironment, context } = topology
  const environment = dataEnvironment === undefined ? {} : { dataEnvironment }
  return { agents, tools, references, plans, providers, ...environment, ...(context === undefined ? {} : { context }) }
}
