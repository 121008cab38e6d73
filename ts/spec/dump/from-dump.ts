import { Issues } from '../checks/issues.ts'
import { readSpec } from './read-spec.ts'
import type { RuntimeSpec } from './runtime-spec.ts'

/**
 * The spec that a parsed dump describes: `JSON.stringify` of it is byte for byte the text that was dumped.
 *
 * @throws SpecError with every problem; TenantMismatchError if the data environment belongs to another tenant
 */
export function runtimeSpecFromDump(dump: unknown): RuntimeSpec {
  return readSpec(dump, new Issues())
}
