import type { Tenant } from '../../types/tenant.ts'
import { Issues } from '../checks/issues.ts'
import { messages } from '../checks/messages.ts'

/**
 * The identity of a tenant.
 *
 * Both ids must be well-formed Unicode, already in NFC, 1–256 UTF-8 bytes long and without control characters
 * (U+0000–001F, U+007F). They are compared byte by byte: no trimming, case folding or normalising, ever.
 *
 * @throws SpecError if an id breaks these rules; it is refused, never rewritten
 * @example
 * ```ts
 * const tenant = defineTenant('acme', 'v1')
 * JSON.stringify(tenant) // '{"resourceId":"acme","version":"v1"}'
 * ```
 */
export function defineTenant(resourceId: string, version: string): Tenant {
  if (!isTenantId(resourceId) || !isTenantId(version)) throwTenantIssues({ resourceId, version })
  return Object.freeze({ resourceId, version })
}

const encoder = new TextEncoder()

/** Whether `value` may be a tenant's resourceId or version. */
export function isTenantId(value: unknown): value is string {
  if (typeof value !== 'string') return false
  // Printable ASCII is well-formed, NFC and one byte per character.
  if (/^[ -~]{1,256}$/.test(value)) return true
  if (value.length === 0 || value.length > 256 || hasControlCharacter(value) || !value.isWellFormed()) return false
  return encoder.encode(value).length <= 256 && value.normalize('NFC') === value
}

function hasControlCharacter(value: string): boolean {
  for (let index = 0; index < value.length; index += 1) {
    const unit = value.charCodeAt(index)
    if (unit < 0x20 || unit === 0x7f) return true
  }
  return false
}

function throwTenantIssues(tenant: { resourceId: unknown; version: unknown }): never {
  const issues = new Issues()
  checkTenantIds(tenant, '', issues)
  issues.throwIfAny()
  throw new TypeError('A refused tenant has no issue.')
}

/** Adds an issue for each id that is not a tenant id. */
export function checkTenantIds(
  tenant: { resourceId?: unknown; version?: unknown },
  path: string,
  issues: Issues,
): void {
  const prefix = path === '' ? '' : `${path}.`
  for (const key of ['resourceId', 'version'] as const) {
    if (tenant[key] === undefined) issues.add(prefix + key, messages.required)
    else if (!isTenantId(tenant[key])) issues.add(prefix + key, messages.tenantId)
  }
}
