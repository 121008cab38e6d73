import { type Checks, type Given, option, readOptions } from '../arguments/options.ts'
import { kindOf } from '../common/shown-values.ts'
import { InvalidInputError } from '../errors/index.ts'
import { forCaller } from '../errors/rejection.ts'
import type { Approval } from '../ledger/index.ts'
import { bridge } from '../native/bridge.ts'
import { Operation } from '../native/operations.ts'
import type { OnError } from '../runs/host/host-errors.ts'
import {
  type Callbacks,
  checkCallbacks,
  defaultEnvironment,
  type ModelSource,
  type ToolCallQuestion,
  validatedOf,
} from '../runs/host/host-parts.ts'
import { nothing, Session } from '../session/session.ts'
import type { HasAgents, ProviderNames, ToolsOf } from '../spec/definitions/handlers.ts'
import { tenantPart, topologyJson, topologyOf } from '../spec/dump/dump-parts.ts'
import { ownSpec } from '../spec/dump/own-spec.ts'
import type { GivenHandlers, RuntimeSpec } from '../spec/index.ts'
import type { StandardSchema } from '../spec/schema/schema.ts'
import { foreignVersion, OpenStore, openWith, type Store } from '../store/store.ts'
import { type CheckedOptions, checkTelemetryOptions, type TelemetryOptions } from '../telemetry/options.ts'
import type { ApprovalNeed, ApproverAnswer } from '../types/approvals.ts'
import type { Around } from '../types/callbacks.ts'
import type { Foundation, Runtime } from './runtime.ts'

const DEFAULT_STORE = 'sled:./.bailiwick'

/** Models by the name of their provider. */
interface Models {
  readonly [provider: string]: ModelSource
}

/** Options of `createRuntime`. */
export interface RuntimeOptions<Spec extends RuntimeSpec = RuntimeSpec> {
  /** An open store, or a URL for `openStore`. Default: the environment variable BAILIWICK_STORE, else `sled:./.bailiwick`. */
  readonly store?: Store | string
  /** The handlers of the spec's tools, by name. Required for every tool if the spec has agents. */
  readonly tools?: Partial<GivenHandlers<Spec>>
  /** The models, by provider. Required for every provider that an agent names. */
  readonly models?: Models
  /** Standard Schemas for the inputs of tools whose spec came from a dump, by the tool's name. */
  readonly schemas?: { readonly [tool: string]: StandardSchema }
  /** Says whether a call needs an approval, and who may give it. Required when a tool's approval is `dynamic`. */
  readonly needsApproval?: (call: ToolCallQuestion) => ApprovalNeed | Promise<ApprovalNeed>
  /** The host's channel to a person who decides. Without it every approval is deferred, and its run suspended. */
  readonly approve?: (approval: Approval) => Promise<ApproverAnswer>
  /** Hooks around the calls of models and of tool handlers. */
  readonly around?: Around
  /**
   * Receives errors that callbacks throw and no caller gets: a tool's handler, a model, which may be retried, a hook around them, `needsApproval`,
   * `approve`, a schema. Failures that the core finds itself are in the run's events only (`tool.failed`): a timeout, a
   * result that does not fit a JSON Schema or holds `__proto__`. Errors that this callback throws are dropped.
   */
  readonly onError?: OnError
  /**
   * Values of the environment variables that the spec names. Default: `process.env`. A variable that holds a
   * root key is refused from any source.
   */
  readonly env?: { readonly [name: string]: string | undefined }
  /** Contents of the runtime's OpenTelemetry spans. They name no tenant and hold no content unless this adds them. */
  readonly telemetry?: TelemetryOptions
}

/** The checks of the options of `createRuntime`. */
export const runtimeChecks: Checks<RuntimeOptions> = {
  store: option.any,
  tools: option.object,
  models: option.object,
  schemas: option.object,
  needsApproval: option.any,
  approve: option.any,
  around: option.object,
  onError: option.any,
  env: option.object,
  telemetry: option.object,
}

const aroundChecks: Checks<Around> = { model: option.function, tool: option.function }

/**
 * The options of `createRuntime`. A spec whose agents TypeScript knows needs a handler for each of its tools and a model for each
 * of its providers; a spec from a dump is checked at run time.
 */
export type OptionsFor<Spec extends RuntimeSpec> =
  HasAgents<Spec> extends true
    ? [
        options: Omit<RuntimeOptions<Spec>, 'models' | 'tools'> &
          ([ProviderNames<Spec>] extends [never]
            ? Pick<RuntimeOptions<Spec>, 'models'>
            : { readonly models: Models & { readonly [Provider in ProviderNames<Spec>]: ModelSource } }) &
          ([ToolsOf<Spec>] extends [never]
            ? Pick<RuntimeOptions<Spec>, 'tools'>
            : { readonly tools: GivenHandlers<Spec> }),
      ]
    : [options?: RuntimeOptions<Spec>]

/** The code of handles and runs, once it is loaded. */
let handleCode: typeof import('./runtime.ts') | undefined

/** Topologies registered in the core by this thread, by number. */
const topologies = new WeakMap<object, Promise<number>>()

/**
 * Binds a runtime to the spec's tenant. It reads and writes no data: the first write creates the tenant.
 *
 * @param spec made by `defineRuntime`, `withTenant` or `parseRuntimeSpec` of any installed copy of the package
 * @throws SpecError (rejected) if a tool has no handler, a provider has no model or no agent handles `query`, or the spec names a
 *   variable that holds a root key; InvalidInputError for anything that is no spec or store, and the errors of `openStore`
 *   if `store` is a URL
 *
 * @example
 * ```ts
 * const runtime = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1') }), { store: 'sled:./data' })
 * const { id } = await runtime.references.put('note', { text: 'hello' })
 * ```
 */
export async function createRuntime<Spec extends RuntimeSpec>(
  spec: Spec,
  ...[options = {}]: OptionsFor<Spec>
): Promise<Runtime<Spec>> {
  const { spec: own, topology } = readSpec(spec)
  const opened = await openParts(own, options as RuntimeOptions)
  try {
    return bind(opened, own, await registered(own, topology))
  } catch (error) {
    if (opened.ownsStore) await opened.store.close()
    throw error
  }
}

/**
 * Reads a spec of any installed copy of the package, with the object that stands for its topology.
 *
 * @throws InvalidInputError for anything else
 */
export function readSpec<Spec extends RuntimeSpec>(spec: Spec): { readonly spec: Spec; readonly topology: object } {
  const own = ownSpec(spec) as Spec | undefined
  const topology = own && topologyOf(own)
  if (own === undefined || topology === undefined) {
    throw new InvalidInputError(
      `spec must be made by defineRuntime, withTenant or parseRuntimeSpec, not ${kindOf(spec)}.`,
    )
  }
  return { spec: own, topology }
}

/** Parts that runtimes of many tenants can share. */
export interface OpenedParts extends HandleParts {
  readonly store: OpenStore
  /** Whether it was opened for these runtimes alone. */
  readonly ownsStore: boolean
  readonly callbacks: Callbacks
}

/** Checks options and callbacks against a spec, and opens the store. */
export async function openParts(spec: RuntimeSpec, options: RuntimeOptions): Promise<OpenedParts> {
  const { store: given, telemetry: told, ...functions } = readOptions(options, runtimeChecks)
  if (given instanceof OpenStore) OpenStore.sessionOf(given).assertOpen()
  const telemetry = checkTelemetryOptions(told)
  const callbacks = callbacksOf(functions)
  checkCallbacks(spec, callbacks)
  const loading = handleParts(telemetry)
  const store = given === undefined ? process.env['BAILIWICK_STORE'] || DEFAULT_STORE : given
  if (!(store instanceof OpenStore) && typeof store !== 'string') throw new InvalidInputError(wrongStore(store))
  const ownsStore = typeof store === 'string'
  const opened = ownsStore ? await openWith(store, {}, {}) : store
  return { ...(await loading), store: opened, ownsStore, callbacks }
}

/** Returns the number of a topology in the core, which the first call hands across. */
export function registered(spec: RuntimeSpec, topology: object): Promise<number> {
  return forCaller(topologies.get(topology) ?? register(spec, topology))
}

function wrongStore(store: unknown): string {
  const version = foreignVersion(store)
  if (version === undefined) return `store must be a Store of this thread or a URL, not ${kindOf(store)}.`
  return (
    `store was opened by another copy of bailiwick (version ${version}). Open it with openStore of the copy that this ` +
    'createRuntime belongs to, or install bailiwick once (npm ls bailiwick shows who brings which).'
  )
}

/** What a handle needs of the code that the first call loads. */
interface HandleParts {
  readonly TenantRuntime: typeof import('./runtime.ts').TenantRuntime
  readonly telemetry: Foundation<RuntimeSpec>['telemetry']
}

/**
 * Loads the code at the first call, while the core opens the store. An import of the package does not, because specs do not
 * need it and Node would take longer.
 */
async function handleParts(telemetry: CheckedOptions): Promise<HandleParts> {
  handleCode ??= await import('./runtime.ts')
  return { TenantRuntime: handleCode.TenantRuntime, telemetry: await handleCode.telemetryFor(telemetry) }
}

/** Binds a runtime of its own to a tenant. */
function bind<Spec extends RuntimeSpec>(opened: OpenedParts, spec: Spec, topology: number): Runtime<Spec> {
  const { TenantRuntime, telemetry, store, ownsStore, callbacks } = opened
  const native = bridge()
  const stored = OpenStore.sessionOf(store)
  const number = native.createHandle(stored.number, topology, handleText(spec, callbacks))
  const session = new Session(native, number, stored)
  native.keepHandle(session, number)
  const end = async () => {
    try {
      if (session.close()) {
        // If the flush fails, the last moment of traces is lost; the handle closes all the same.
        await session.submit(Operation.tracesFlush, nothing, nothing).catch(nothing)
        native.closeHandle(number, session)
      }
    } finally {
      if (ownsStore) await store.close()
    }
  }
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= end()
    return closing
  }
  return new TenantRuntime({ spec, session, telemetry, store, callbacks, close })
}

/** Returns the tenant's part of a spec as the core reads it. */
export function handleText(spec: RuntimeSpec, callbacks: Callbacks): string {
  return JSON.stringify({ ...tenantPart(spec), validated: validatedOf(spec, callbacks) })
}

/** Hands a topology across the boundary, once for all tenants that share it. */
function register(spec: RuntimeSpec, topology: object): Promise<number> {
  const native = bridge()
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

function callbacksOf(given: Given<Omit<RuntimeOptions, 'store' | 'telemetry'>>): Callbacks {
  const { tools = {}, models = {}, schemas = {}, needsApproval, approve, onError, env = defaultEnvironment() } = given
  const { model, tool } = readOptions(given.around ?? {}, aroundChecks, 'around', 'around.')
  const around = { ...(model && { model }), ...(tool && { tool }) }
  return { tools, models, schemas, needsApproval, approve, around, onError, env }
}
