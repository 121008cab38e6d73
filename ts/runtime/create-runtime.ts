import process from 'node:process'
import { InvalidInputError, SpecError, type SpecIssue } from '../errors/index.ts'
import { type Bridge, bridge } from '../native/bridge.ts'
import { Operation } from '../native/operations.ts'
import type { Model } from '../spec/callbacks.ts'
import { tenantPart, topologyJson, topologyOf } from '../spec/dump-parts.ts'
import type { RuntimeSpec, ToolHandlers } from '../spec/index.ts'
import { type Telemetry, type TelemetryOptions, telemetryFor } from '../telemetry/index.ts'
import { assertOpen, assertOptions } from './guard.ts'
import { Handle } from './handle.ts'
import { type Runtime, TenantRuntime } from './runtime.ts'
import { OpenStore, openWith, type Store } from './store.ts'

const DEFAULT_STORE = 'sled:./.bailiwick'

/** What a runtime is given beside its spec. */
export interface RuntimeOptions<Spec extends RuntimeSpec = RuntimeSpec> {
  /** An open store, or the URL of one. Default: the environment variable BAILIWICK_STORE, else `sled:./.bailiwick`. */
  readonly store?: Store | string
  /** The handlers of the spec's tools, by name. Required for every tool if the spec has agents. */
  readonly tools?: Partial<ToolHandlers<Spec>>
  /** The models, by provider. Required for every provider that an agent names. */
  readonly models?: { readonly [provider: string]: Model | ((env: { apiKey?: string; baseUrl?: string }) => Model) }
  /** What the runtime's OpenTelemetry spans say. Tenants and content are not among it unless this adds them. */
  readonly telemetry?: TelemetryOptions
}

/** The topologies that this thread's core knows, by number. */
const topologies = new WeakMap<object, Promise<number>>()

/**
 * Binds a runtime to the spec's tenant. No data is read or written: a tenant comes to be with its first write.
 *
 * @throws SpecError (rejected) if a tool has no handler or a provider no model; InvalidInputError for anything that is no
 *   spec or store, and what `openStore` rejects with if `store` is a URL
 *
 * @example
 * ```ts
 * const runtime = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1') }), { store: 'sled:./data' })
 * const { id } = await runtime.references.put('note', { text: 'hello' })
 * ```
 */
export async function createRuntime<Spec extends RuntimeSpec>(
  spec: Spec,
  options: RuntimeOptions<Spec> = {},
): Promise<Runtime<Spec>> {
  const topology = typeof spec === 'object' && spec !== null ? topologyOf(spec) : undefined
  if (topology === undefined) {
    throw new InvalidInputError('createRuntime takes a spec that defineRuntime, withTenant or parseRuntimeSpec made.')
  }
  assertOptions(options, 'options')
  if (options.store instanceof OpenStore) assertOpen(options.store)
  const telemetry = telemetryFor(options.telemetry)
  checkCallbacks(spec, options)
  const native = bridge()
  const registered = topologies.get(topology) ?? register(native, spec, topology)
  const store = options.store === undefined ? process.env['BAILIWICK_STORE'] || DEFAULT_STORE : options.store
  if (store instanceof OpenStore) return bind(native, spec, await registered, await telemetry, store, false)
  if (typeof store !== 'string') throw new InvalidInputError('store must be a Store of this thread or a URL.')
  const opened = await openWith(store, {}, {})
  try {
    return bind(native, spec, await registered, await telemetry, opened, true)
  } catch (error) {
    await opened.close()
    throw error
  }
}

function bind<Spec extends RuntimeSpec>(
  native: Bridge,
  spec: Spec,
  topology: number,
  telemetry: Telemetry,
  store: OpenStore,
  ownsStore: boolean,
): Runtime<Spec> {
  const number = native.createHandle(OpenStore.numberOf(store), topology, JSON.stringify(tenantPart(spec)))
  const handle = new Handle(number, store)
  native.keepHandle(handle, number)
  return new TenantRuntime(spec, native, handle, telemetry, store, ownsStore)
}

/** Hands a topology across the boundary, once for all tenants that share it. */
function register(native: Bridge, spec: RuntimeSpec, topology: object): Promise<number> {
  const text = topologyJson(spec)
  const registered = native.submit(
    Operation.registerTopology,
    0,
    (message) => message.text(text),
    (answer) => answer.u32(),
  )
  topologies.set(topology, registered)
  registered.then(
    (number) => native.keepTopology(topology, number),
    () => topologies.delete(topology),
  )
  return registered
}

/** With agents, everything that they call must be there from the start. */
function checkCallbacks(spec: RuntimeSpec, options: RuntimeOptions): void {
  if (spec.agents.length === 0) return
  const handlers: { readonly [name: string]: unknown } = options.tools ?? {}
  const models = options.models ?? {}
  const issues: SpecIssue[] = []
  for (const { name } of spec.tools) {
    if (!Object.hasOwn(handlers, name) || typeof handlers[name] !== 'function') {
      issues.push({
        path: `tools.${name}`,
        message: `The tool ${name} has no handler. Pass one in createRuntime's tools.`,
      })
    }
  }
  const providers = spec.agents.flatMap((agent) => ('model' in agent ? agent.model : undefined) ?? [])
  for (const provider of new Set(providers.map((model) => model.slice(0, model.indexOf('/'))))) {
    if (!Object.hasOwn(models, provider)) {
      const message = `The provider ${provider} has no model. Pass one in createRuntime's models.`
      issues.push({ path: `models.${provider}`, message })
    }
  }
  if (issues.length > 0) throw new SpecError(issues)
}
