import type { Approvals } from '../types/approvals.ts'
import type { Cache } from '../types/cache.ts'
import type { Plans } from '../types/plans.ts'
import type { References } from '../types/references.ts'
import type { Threads } from '../types/threads.ts'
import type { Waits } from '../types/waits.ts'
import type { Telemetry } from './telemetry.ts'

/** Parts of a handle with traced verbs. */
interface Parts {
  readonly references: References
  readonly plans: Plans
  readonly approvals: Approvals
  readonly threads: Threads
  readonly waits: Waits
}

/** The verbs that change something durable or decide something. Reading is not traced: it costs less than a span. */
const tracedVerbs: { readonly [K in keyof Parts]: readonly (keyof Parts[K] & string)[] } = {
  references: ['put', 'putMany', 'delete'],
  plans: ['save'],
  approvals: ['request', 'respond'],
  threads: ['append', 'fork', 'delete'],
  waits: ['settle', 'cancel'],
}

/**
 * Lets each of these verbs run in a span named `bailiwick.<kind>.<verb>`, and returns the part. Without OpenTelemetry the
 * part stays as it is.
 */
export function traced<K extends keyof Parts>(telemetry: Telemetry, kind: K, part: Parts[K]): Parts[K] {
  if (!telemetry.isPossible) return part
  for (const verb of tracedVerbs[kind]) {
    const plain = part[verb] as (...given: unknown[]) => Promise<unknown>
    const value = (...given: unknown[]) =>
      telemetry.during(`bailiwick.${kind}.${verb}`, () => Reflect.apply(plain, part, given))
    // Like a method, it does not show among the part's own properties.
    Object.defineProperty(part, verb, { value, enumerable: false })
  }
  return part
}

/** Lets what a host computes for the cache run in a span, `bailiwick.cache.compute`. A hit has none. */
export function tracedCache(telemetry: Telemetry, cache: Cache): Cache {
  if (!telemetry.isPossible) return cache
  const plain = cache.getOrCompute.bind(cache)
  const value: Cache['getOrCompute'] = (key, options, compute) =>
    // The cache rejects a value that is no function.
    plain(
      key,
      options,
      typeof compute === 'function' ? () => telemetry.during('bailiwick.cache.compute', compute) : compute,
    )
  Object.defineProperty(cache, 'getOrCompute', { value, enumerable: false })
  return cache
}
