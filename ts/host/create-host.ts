import { type Checks, option, readOptions } from '../arguments/options.ts'
import { quietly } from '../common/quietly.ts'
import { checkOnChanged } from '../runs/on-changed.ts'
import type { HasAgents } from '../spec/definitions/handlers.ts'
import type { RuntimeSpec } from '../spec/index.ts'
import { type OptionsFor, openParts, type RuntimeOptions, readSpec, runtimeChecks } from '../tenant/create-runtime.ts'
import type { OnChanged } from '../types/runs.ts'
import type { Activity, HostErrorSource, Tell } from './activity.ts'
import { type Host, TenantsHost } from './host.ts'
import { assertWhole } from './whole.ts'

/** What a host takes besides the options of `createRuntime`. */
interface OwnOptions {
  /**
   * Returns a tenant's own spec, by its `resourceId`. Default: the topology with the tenant put in. `undefined`: this host leaves the
   * tenant's work alone, and has no runtime for it.
   */
  readonly specFor?: (resourceId: string) => RuntimeSpec | undefined | Promise<RuntimeSpec | undefined>
  /** Tenants whose handles are kept open, at least 1. Those idle longest close first, never one with a call or a run. Default 10,000. */
  readonly maxOpen?: number
  /** Runs that the host has taken up and works at, at least 1. Default 256. */
  readonly concurrency?: number
  /** The same of one tenant: its others wait for their turn. Default 16. */
  readonly concurrencyPerTenant?: number
  /** What a run that is taken up does if the definitions of its agents have changed. Default `keep`: see `OnChanged`. */
  readonly onChanged?: OnChanged
  /** Receives errors that no caller gets: those that callbacks throw, and why a run could not be taken up. */
  readonly onError?: (error: unknown, about: HostErrorSource) => void
  /** Receives what the host does, for metrics. Errors that it throws are dropped. */
  readonly onEvent?: (event: Activity) => void
}

/** Options of `createHost`: those of `createRuntime`, and the host's own. */
export interface HostOptions<Spec extends RuntimeSpec = RuntimeSpec>
  extends Omit<RuntimeOptions<Spec>, 'onError'>,
    OwnOptions {}

/** The options of `createHost`, with a handler for each tool and a model for each provider, as `createRuntime` needs them. */
export type HostOptionsFor<Spec extends RuntimeSpec> =
  HasAgents<Spec> extends true
    ? [options: Omit<NonNullable<OptionsFor<Spec>[0]>, 'onError'> & OwnOptions]
    : [options?: HostOptions<Spec>]

const ownChecks: Checks<OwnOptions> = {
  specFor: option.function,
  maxOpen: option.number,
  concurrency: option.number,
  concurrencyPerTenant: option.number,
  onChanged: checkOnChanged,
  onError: option.function,
  onEvent: option.function,
}
const hostChecks: Checks<HostOptions> = { ...runtimeChecks, ...ownChecks }

/**
 * Serves many tenants from one process, and takes up their runs that can go on: their approval or wait has ended, a prompt was handed to
 * them, they were queued and their turn or time has come, or their process died or gave them up. Nothing is taken up before `start()`.
 *
 * @param topology made by `defineRuntime` or `parseRuntimeSpec`; its tenant is a stand-in
 * @throws the errors of `createRuntime` (rejected); InvalidInputError for an option that will not do
 *
 * @example
 * ```ts
 * const host = await createHost(defineRuntime({ tenant: defineTenant('any', 'v1') }), { store: 'sled:./data' })
 * await host.start()
 * const acme = await host.runtime('acme')
 * await acme.cache.set('greeting', 'hello')
 * await host.close()
 * ```
 */
export async function createHost<Spec extends RuntimeSpec>(
  topology: Spec,
  ...[options = {}]: HostOptionsFor<Spec>
): Promise<Host<Spec>> {
  const { spec } = readSpec(topology)
  const read = readOptions(options as HostOptions, hostChecks)
  const { specFor, maxOpen = 10_000, concurrency = 256, concurrencyPerTenant = 16, ...rest } = read
  const { onChanged, onError, onEvent, ...others } = rest
  for (const [name, value] of Object.entries({ maxOpen, concurrency, concurrencyPerTenant }))
    assertWhole(value, name, 1)
  const parts = await openParts(spec, { ...given(others), ...(onError === undefined ? {} : { onError }) })
  const emit = (event: Activity) => quietly(() => onEvent?.(event))
  const rules = { concurrency, concurrencyPerTenant, onChanged }
  return new TenantsHost<Spec>({ topology: spec, parts, specFor, maxOpen, tell: telling(onError), emit, ...rules })
}

function telling(onError: OwnOptions['onError']): Tell {
  return (error, about) => quietly(() => onError?.(error, about))
}

/** Removes what was not given. */
function given<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never
}
