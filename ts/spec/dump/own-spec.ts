import { Issues } from '../checks/issues.ts'
import { readSpec } from './read-spec.ts'
import { BoundSpec, foreignDump } from './runtime-spec.ts'

/** Specs of other copies of the package, and what was made of them here. */
const adopted = new WeakMap<object, BoundSpec>()

/**
 * The spec itself if this copy of the package has made it. Of one that another copy has made, the same spec once more,
 * checked as a dump is: that copy may be of another version. Nothing if it is no spec.
 *
 * @throws SpecError with every problem of another copy's spec; TenantMismatchError if its data environment belongs to another
 *   tenant
 */
export function ownSpec(spec: unknown): BoundSpec | undefined {
  if (BoundSpec.topologyOf(spec) !== undefined) return spec as BoundSpec
  const dump = foreignDump(spec)
  if (dump === undefined) return undefined
  const own = adopted.get(spec as object) ?? readSpec(dump, new Issues())
  adopted.set(spec as object, own)
  return own
}
