import type { Limits, Retention, Tenant } from '../../types/tenant.ts'
import { type Issues, pathTo } from '../checks/issues.ts'
import { messages, unknownProperty } from '../checks/messages.ts'
import { copyJson, deepFreeze, isPlainObject } from '../checks/plain-json.ts'
import { readShape } from '../checks/shape.ts'
import { limitsShape, retentionShape, tenantShape } from '../checks/shapes.ts'
import { isDefinition, propertiesOf } from '../definitions/definition.ts'
import { checkTenantIds, defineTenant, isTenantId } from '../definitions/tenant.ts'
import { BoundSpec, refuseForeignEnvironment } from './runtime-spec.ts'
import { readTopology, type Topology } from './topology.ts'

const knownProperties = [
  'bailiwick',
  'tenant',
  'agents',
  'tools',
  'references',
  'plans',
  'providers',
  'dataEnvironment',
  'context',
  'limits',
  'retention',
]

/**
 * The spec that a dump describes, checked as a whole.
 *
 * @param dump anything; only what is JSON is accepted
 * @param issues problems found before
 * @throws TenantMismatchError if the data environment belongs to another tenant; else SpecError with every problem
 */
export function readSpec(dump: unknown, issues: Issues): BoundSpec {
  const copy = copyJson(dump, '', issues, 0)
  const parts = propertiesOf(copy, issues)
  for (const key of Object.keys(parts)) {
    if (!knownProperties.includes(key)) issues.add(pathTo('', key), unknownProperty(knownProperties))
  }
  if (parts['bailiwick'] !== 1) issues.add('bailiwick', messages.format)
  const tenant = readTenant(parts['tenant'], issues)
  const topology = readTopology(parts, issues)
  const limits = readLimits(parts['limits'], issues)
  const retention = readRetention(parts['retention'], issues)
  refuseMismatch(parts)
  issues.throwIfAny()
  return new BoundSpec(tenant, freezeTopology(topology, dump), limits, retention)
}

/** The tenant in a dump, frozen. */
export function readTenant(value: unknown, issues: Issues): Tenant {
  const tenant = readShape(tenantShape, value, 'tenant', issues)
  const path = 'tenant'
  if (isPlainObject(value)) checkTenantIds(value, path, issues)
  return tenant !== undefined && isTenantId(tenant.resourceId) && isTenantId(tenant.version)
    ? defineTenant(tenant.resourceId, tenant.version)
    : { resourceId: '', version: '' }
}

/** Limits in a dump, frozen. */
export function readLimits(value: unknown, issues: Issues): Limits {
  return deepFreeze(readShape(limitsShape, value === undefined ? {} : value, 'limits', issues) ?? {}) as Limits
}

/** A retention in a dump, frozen. */
export function readRetention(value: unknown, issues: Issues): Retention {
  return deepFreeze(readShape(retentionShape, value === undefined ? {} : value, 'retention', issues) ?? {}) as Retention
}

/** A foreign data environment goes before every other problem. */
function refuseMismatch(parts: Record<string, unknown>): void {
  const { tenant, dataEnvironment } = parts
  if (!isPlainObject(tenant) || !isPlainObject(dataEnvironment)) return
  const { resourceId } = tenant
  const { tenantId } = dataEnvironment
  if (isTenantId(resourceId) && isTenantId(tenantId)) refuseForeignEnvironment(resourceId, tenantId)
}

/** Keeps the very objects that the `define…` helpers made: they are frozen and know their schemas. */
function freezeTopology(topology: Topology, dump: unknown): Topology {
  const original = dump as Record<string, unknown>
  const keep = <T>(read: readonly T[], key: string): readonly T[] =>
    read.map((definition, index) => {
      const given = (original[key] as readonly unknown[])[index]
      return isDefinition(given) ? (given as T) : definition
    })
  return deepFreeze({
    ...topology,
    agents: keep(topology.agents, 'agents'),
    tools: keep(topology.tools, 'tools'),
    references: keep(topology.references, 'references'),
    plans: keep(topology.plans, 'plans'),
  })
}
