import type { Limits, Retention, Tenant } from '../../types/tenant.ts'
import { BoundSpec, type RuntimeSpec, topologyDump } from './runtime-spec.ts'
import type { Topology } from './topology.ts'

/** The tenant's own part of a spec. */
export interface TenantPart {
  readonly tenant: Tenant
  readonly limits: Limits
  readonly retention: Retention
}

const texts = new WeakMap<Topology, string>()

/** The topology that `spec` shares: the same object for every spec that `withTenant` made from it. */
export function topologyOf(spec: RuntimeSpec): object | undefined {
  return BoundSpec.topologyOf(spec)
}

/**
 * The part of a spec's dump that says nothing about the tenant, as JSON text: `{"bailiwick":1,"agents":…}`. Made once
 * per topology, so that a host of many tenants hands it across the boundary once.
 */
export function topologyJson(spec: RuntimeSpec): string {
  const topology = BoundSpec.topologyOf(spec)
  if (topology === undefined) throw new TypeError('Not a spec of this copy of bailiwick.')
  let text = texts.get(topology)
  if (text === undefined) {
    text = JSON.stringify({ bailiwick: 1, ...topologyDump(topology) })
    texts.set(topology, text)
  }
  return text
}

/** The part of a spec that is the tenant's own. */
export function tenantPart(spec: RuntimeSpec): TenantPart {
  const { tenant, limits, retention } = spec
  return { tenant, limits, retention }
}
