import { type Checks, option, readOptions } from '../arguments/options.ts'
import { type BailiwickError, ClosedError, InvalidInputError, SpecError, TenantMismatchError } from '../errors/index.ts'
import type { EraseReceipt } from '../ledger/index.ts'
import type { Bridge } from '../native/bridge.ts'
import type { Answer, Message } from '../native/message.ts'
import { Operation } from '../native/operations.ts'
import type { AgentOutput, SpecialistNames } from '../spec/handlers.ts'
import type { RuntimeSpec } from '../spec/index.ts'
import type { Limits } from '../spec/limits.ts'
import type { Tenant } from '../spec/tenant.ts'
import { type Telemetry, traced, tracedCache } from '../telemetry/index.ts'
import { type Approvals, TenantApprovals } from './approvals.ts'
import { TenantCache } from './cache.ts'
import { assertOpen, assertText } from './guard.ts'
import type { Handle } from './handle.ts'
import { type Callbacks, hostParts } from './host-parts.ts'
import { type Plans, TenantPlans } from './plans.ts'
import { TenantReferences } from './references.ts'
import { type QueryRequest, RefusedRun, type Run, type Runs } from './run.ts'
import { RunStarter, wrongRequest } from './run-starter.ts'
import { TenantRuns } from './runs.ts'
import { wordOf } from './shown.ts'
import type { OpenStore } from './store.ts'
import { TenantThreads } from './threads.ts'
import { TenantTraces } from './traces.ts'
import type { Cache, References, Threads, Traces, Usage } from './types.ts'

/** What holds where a spec sets no limit of its own; everything else is unlimited. */
const DEFAULT_LIMITS: Limits = {
  valueBytes: 64 << 20,
  inFlightBytes: 256 << 20,
  pendingApprovals: 10_000,
  inlineResultBytes: 4096,
  run: { maxSteps: 100, maxToolCalls: 2000 },
}

type EraseOptions = Parameters<Runtime['erase']>[0]

const eraseChecks: Checks<EraseOptions> = { confirm: option.any }

/**
 * One tenant's runtime. It is bound to that tenant for life: no call takes another, and what belongs to another is
 * simply not found.
 */
export interface Runtime<Spec extends RuntimeSpec = RuntimeSpec> extends AsyncDisposable {
  readonly tenant: Tenant
  readonly spec: Spec
  /** Values under content-addressed ids. */
  readonly references: References
  /** What is to be done, in versions. */
  readonly plans: Plans
  /** Questions to people, and the ledger of what came of them. */
  readonly approvals: Approvals
  /** Values under keys of the host's choice. */
  readonly cache: Cache
  /** Conversations. */
  readonly threads: Threads
  /** Agents at work, and what came of them. */
  readonly runs: Runs
  /** What happened to the tenant. */
  readonly traces: Traces
  /**
   * Asks the coordinator, or the only specialist. The run goes on from here, whether anybody looks at it or not. Never
   * throws: the run's `result()` rejects with TenantMismatchError if the request came with another tenant, with SpecError
   * if the spec has nobody to ask, with InvalidInputError if the prompt says nothing, with NotFoundError if a `file` part of it
   * names a reference that is not there, with ThreadBusyError, which names the run, if another one writes the thread.
   *
   * @example
   * ```ts
   * const run = runtime.query({ prompt: 'Which product sold best?', threadId: 'support-17' })
   * for await (const event of run) if (event.type === 'text.delta') process.stdout.write(event.delta)
   * const result = await run.result()
   * ```
   */
  query(request: string | QueryRequest): Run
  /** Asks one specialist, as `query` does. */
  runSpecialist<N extends SpecialistNames<Spec>>(name: N, request: string | QueryRequest): Run<AgentOutput<Spec, N>>
  /** What the tenant holds. Expired items count until they are removed. */
  usage(): Promise<Usage>
  /**
   * Erases the tenant with everything it has. Its keys are destroyed first, durably: from then on nothing of it can be
   * read, whoever has the files. Then its rows and files are removed; if the process dies meanwhile, the next one to open
   * the store goes on. All handles of the tenant end with ClosedError; whoever uses the name afterwards starts afresh.
   *
   * Rejects with InvalidInputError unless `confirm` is the tenant's resourceId, exactly.
   *
   * @returns a signed receipt, for `verifyReceipt`
   */
  erase(options: { readonly confirm: string }): Promise<EraseReceipt>
  /** Ends this handle; the tenant's data stays. Doing it twice does nothing. */
  close(): Promise<void>
}

/** The one implementation of `Runtime`. */
export class TenantRuntime<Spec extends RuntimeSpec> implements Runtime<Spec> {
  readonly #spec: Spec
  readonly #bridge: Bridge
  readonly #handle: Handle
  readonly #telemetry: Telemetry
  readonly #store: OpenStore
  readonly #ownsStore: boolean
  #references: References | undefined
  #plans: Plans | undefined
  #approvals: Approvals | undefined
  #cache: Cache | undefined
  #threads: Threads | undefined
  #traces: Traces | undefined
  #runs: Runs | undefined
  #starter: RunStarter | undefined
  readonly #callbacks: Callbacks
  #closing: Promise<void> | undefined

  constructor(
    spec: Spec,
    bridge: Bridge,
    handle: Handle,
    telemetry: Telemetry,
    store: OpenStore,
    ownsStore: boolean,
    callbacks: Callbacks,
  ) {
    this.#spec = spec
    this.#bridge = bridge
    this.#handle = handle
    this.#telemetry = telemetry
    this.#store = store
    this.#ownsStore = ownsStore
    this.#callbacks = callbacks
  }

  get spec(): Spec {
    return this.#spec
  }

  get tenant(): Tenant {
    return this.#spec.tenant
  }

  get references(): References {
    this.#references ??= traced(this.#telemetry, 'references', new TenantReferences(this.#bridge, this.#handle))
    return this.#references
  }

  get plans(): Plans {
    this.#plans ??= traced(this.#telemetry, 'plans', new TenantPlans(this.#bridge, this.#handle))
    return this.#plans
  }

  get approvals(): Approvals {
    this.#approvals ??= traced(this.#telemetry, 'approvals', new TenantApprovals(this.#bridge, this.#handle))
    return this.#approvals
  }

  get cache(): Cache {
    if (this.#cache === undefined) {
      // The version is part of no key.
      const owner = JSON.stringify([this.#store.publicKey, this.tenant.resourceId])
      this.#cache = tracedCache(this.#telemetry, new TenantCache(this.#bridge, this.#handle, owner))
    }
    return this.#cache
  }

  get threads(): Threads {
    this.#threads ??= traced(this.#telemetry, 'threads', new TenantThreads(this.#bridge, this.#handle))
    return this.#threads
  }

  get traces(): Traces {
    this.#traces ??= new TenantTraces(this.#bridge, this.#handle)
    return this.#traces
  }

  get runs(): Runs {
    this.#runs ??= new TenantRuns(this.#bridge, this.#handle, this.#starting)
    return this.#runs
  }

  get #starting(): RunStarter {
    const { references, cache } = this
    const tracing = { telemetry: this.#telemetry, spec: this.#spec }
    this.#starter ??= new RunStarter(
      this.#bridge,
      this.#handle,
      hostParts(this.#spec, this.#callbacks, { references, cache, tracing }),
    )
    return this.#starter
  }

  query(request: string | QueryRequest): Run {
    return this.#ask<string>(request, undefined)
  }

  runSpecialist<N extends SpecialistNames<Spec>>(name: N, request: string | QueryRequest): Run<AgentOutput<Spec, N>> {
    return this.#ask<AgentOutput<Spec, N>>(request, name)
  }

  #ask<O>(request: string | QueryRequest, specialist: string | undefined): Run<O> {
    const refusal = this.#refusal(request, specialist)
    if (refusal === undefined) return this.#starting.begin<O>(request, specialist)
    // What is ill-formed comes before whom it names.
    const wrong = ClosedError.isInstance(refusal) ? undefined : wrongRequest(request, specialist)
    if (wrong !== undefined) return new RefusedRun(wrong) as Run<never>
    if (TenantMismatchError.isInstance(refusal)) this.#submitPlainly(Operation.tracesRejected).catch(() => {})
    return new RefusedRun(refusal) as Run<never>
  }

  /** Why nobody can be asked, in the order in which several reasons count. */
  #refusal(request: string | QueryRequest, specialist: string | undefined): BailiwickError | undefined {
    if (this.#handle.closed) return new ClosedError('This runtime or its store is closed. Open it again.')
    if (specialist !== undefined && (typeof specialist !== 'string' || !specialist.isWellFormed())) {
      return new InvalidInputError(`runSpecialist takes the name of a specialist, not ${wordOf(specialist)}.`)
    }
    const named = tenantNamedBy(request)
    if (named instanceof InvalidInputError) return named
    if (named !== undefined && named !== this.tenant.resourceId) {
      return new TenantMismatchError(
        'This runtime serves another tenant than the one named. Use the runtime that was created for that tenant.',
      )
    }
    if (this.#spec.agents.length > 0) return undefined
    const message = 'This runtime has no agents, so there is nobody to ask. Add agents to defineRuntime.'
    return new SpecError([{ path: 'agents', message }])
  }

  async usage(): Promise<Usage> {
    assertOpen(this.#handle)
    const ask = <T>(operation: Operation) =>
      this.#bridge.submit(
        operation,
        this.#handle,
        () => {},
        (answer) => answer.json<T>(),
      )
    const [storage, tokens] = await Promise.all([
      ask<Usage['storage']>(Operation.usage),
      ask<Usage['tokens']>(Operation.tokens),
    ])
    const { limits } = this.#spec
    return { storage, tokens, limits: { ...DEFAULT_LIMITS, ...limits, run: { ...DEFAULT_LIMITS.run, ...limits.run } } }
  }

  erase(options: EraseOptions): Promise<EraseReceipt> {
    return this.#telemetry.during('bailiwick.runtime.erase', () => this.#erase(options))
  }

  async #erase(options: EraseOptions): Promise<EraseReceipt> {
    assertOpen(this.#handle)
    const { confirm } = readOptions(options, eraseChecks)
    assertText(confirm, 'confirm')
    const write = (message: Message) => message.text(confirm)
    const erase = (answer: Answer) => answer.json<EraseReceipt>()
    const receipt = await this.#bridge.submit(Operation.erase, this.#handle, write, erase)
    await this.close()
    return receipt
  }

  #submitPlainly(operation: Operation): Promise<void> {
    const nothing = () => {}
    return this.#bridge.submit(operation, this.#handle, nothing, nothing)
  }

  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    try {
      if (this.#handle.close()) {
        // A store that does not take them any more loses the last moment of traces; that is no reason not to close.
        await this.#submitPlainly(Operation.tracesFlush).catch(() => {})
        this.#bridge.closeHandle(this.#handle.number, this.#handle)
      }
    } finally {
      if (this.#ownsStore) await this.#store.close()
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** The tenant that came with a request, or why the request is none. Never throws, whatever the request is. */
function tenantNamedBy(request: unknown): string | undefined | InvalidInputError {
  if (typeof request === 'string') return undefined
  try {
    const { prompt, tenant } = request as { prompt?: unknown; tenant?: unknown }
    if (typeof prompt === 'string' || Array.isArray(prompt)) {
      const named = typeof tenant === 'object' ? (tenant as { resourceId?: unknown }).resourceId : tenant
      if (tenant === undefined || typeof named === 'string') return named as string | undefined
      return new InvalidInputError('tenant must be a resourceId or a tenant. Leave it out if the request names none.')
    }
  } catch {
    // Nothing that can be read: the answer below.
  }
  return new InvalidInputError('query takes a prompt or { prompt, … }.')
}
