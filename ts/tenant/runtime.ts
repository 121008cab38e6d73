import { assertText } from '../arguments/checks.ts'
import { type Checks, option, readOptions } from '../arguments/options.ts'
import type { EraseReceipt } from '../ledger/index.ts'
import type { Message } from '../native/message.ts'
import { Operation } from '../native/operations.ts'
import { type Callbacks, hostParts, inputSchema } from '../runs/host/host-parts.ts'
import { RunStarter } from '../runs/run-starter.ts'
import { TenantRuns } from '../runs/runs.ts'
import { json, noArguments, type Session } from '../session/session.ts'
import type { AgentOutput, SpecialistNames } from '../spec/definitions/handlers.ts'
import type { RuntimeSpec } from '../spec/index.ts'
import type { OpenStore } from '../store/store.ts'
import { type Telemetry, traced, tracedCache } from '../telemetry/index.ts'
import type { Approvals } from '../types/approvals.ts'
import type { Cache } from '../types/cache.ts'
import type { Traces } from '../types/events.ts'
import type { Plans } from '../types/plans.ts'
import type { References } from '../types/references.ts'
import type { QueryRequest, Run, Runs } from '../types/runs.ts'
import type { Limits, Tenant, Usage } from '../types/tenant.ts'
import type { Threads } from '../types/threads.ts'
import type { Waits } from '../types/waits.ts'
import { TenantApprovals } from './approvals.ts'
import { TenantCache } from './cache.ts'
import { TenantPlans } from './plans.ts'
import { TenantReferences } from './references.ts'
import { TenantThreads } from './threads.ts'
import { TenantTraces } from './traces.ts'
import { TenantWaits } from './waits.ts'

export { telemetryFor } from '../telemetry/index.ts'

/** Limits for a spec that sets none; everything else is unlimited. */
const DEFAULT_LIMITS: Limits = {
  valueBytes: 64 << 20,
  inFlightBytes: 256 << 20,
  pendingApprovals: 10_000,
  openWaits: 1000,
  inlineResultBytes: 4096,
  run: { maxSteps: 64, maxToolCalls: 256 },
}

type EraseOptions = Parameters<Runtime['erase']>[0]

const eraseChecks: Checks<EraseOptions> = { confirm: option.any }

/**
 * One tenant's runtime. It is bound to that tenant for life: no call takes another, and records of another tenant are
 * not found.
 */
export interface Runtime<Spec extends RuntimeSpec = RuntimeSpec> extends AsyncDisposable {
  readonly tenant: Tenant
  readonly spec: Spec
  /** Values under content-addressed ids. */
  readonly references: References
  /** Plans in versions. */
  readonly plans: Plans
  /** Approvals by people, and the ledger of their decisions. */
  readonly approvals: Approvals
  /** Values under keys of the host's choice. */
  readonly cache: Cache
  /** Conversations. */
  readonly threads: Threads
  /** Runs of the agents, and their results. */
  readonly runs: Runs
  /** Calls of runs that wait for an answer, an event or a time. */
  readonly waits: Waits
  /** Events of the tenant. */
  readonly traces: Traces
  /**
   * Sends a request to the coordinator, or to the only specialist that no other agent calls. The run proceeds without a consumer of its
   * events. Never throws: the run's `result()` rejects with TenantMismatchError if the request names another tenant, with SpecError
   * if no agent handles `query`, with InvalidInputError if the prompt is empty, with NotFoundError if a `file` part of it
   * names a missing reference, with ThreadBusyError, which names the run, if another run writes the thread.
   *
   * @example
   * ```ts
   * const run = runtime.query({ prompt: 'Which product sold best?', threadId: 'support-17' })
   * for await (const event of run) if (event.type === 'text.delta') process.stdout.write(event.delta)
   * const result = await run.result()
   * ```
   */
  query(request: string | QueryRequest): Run
  /**
   * Sends a request to one specialist, like `query`; the specialist is the entry agent. The result's `output` has the type of its schema.
   *
   * The spec must have an agent for `query` all the same: without a coordinator, `createRuntime` rejects a spec unless it has exactly one
   * specialist that no other agent calls. For several, add a coordinator with routes to them.
   *
   * @example
   * ```ts
   * const result = await runtime.runSpecialist('analyst', 'Which product sold best?').result()
   * if (result.status === 'completed') console.log(result.output.answer)
   * ```
   */
  runSpecialist<N extends SpecialistNames<Spec>>(name: N, request: string | QueryRequest): Run<AgentOutput<Spec, N>>
  /** Returns the storage and tokens that the tenant uses. Expired items count until they are removed. */
  usage(): Promise<Usage>
  /**
   * Erases the tenant with all its data. Its keys are destroyed first, durably: from then on nothing of it can be
   * read, even with the files. Then its rows and files are removed; if the process dies meanwhile, the next process that opens
   * the store finishes the removal. All handles of the tenant end with ClosedError; later use of the name starts an empty tenant.
   *
   * Rejects with InvalidInputError unless `confirm` is the tenant's resourceId, exactly.
   *
   * @returns a signed receipt, for `verifyReceipt`
   */
  erase(options: { readonly confirm: string }): Promise<EraseReceipt>
  /** Closes this handle; the tenant's data stays. A second call does nothing. */
  close(): Promise<void>
}

/** Dependencies of a runtime. */
export interface Foundation<Spec extends RuntimeSpec> {
  readonly spec: Spec
  readonly session: Session
  readonly telemetry: Telemetry
  readonly store: OpenStore
  readonly callbacks: Callbacks
  /** Closes the runtime, or gives it back. May be called again. */
  readonly close: () => Promise<void>
}

/** The parts of a runtime, each created on first use: most tenants of a host use few of them. */
interface Parts {
  references?: References
  plans?: Plans
  approvals?: Approvals
  cache?: Cache
  threads?: Threads
  traces?: Traces
  runs?: Runs
  waits?: Waits
  starter?: RunStarter
}

/** The one implementation of `Runtime`. */
export class TenantRuntime<Spec extends RuntimeSpec> implements Runtime<Spec> {
  readonly #foundation: Foundation<Spec>
  readonly #parts: Parts = {}

  constructor(foundation: Foundation<Spec>) {
    this.#foundation = foundation
  }

  get spec(): Spec {
    return this.#foundation.spec
  }

  get tenant(): Tenant {
    return this.#foundation.spec.tenant
  }

  get references(): References {
    const { telemetry, session } = this.#foundation
    this.#parts.references ??= traced(telemetry, 'references', new TenantReferences(session))
    return this.#parts.references
  }

  get plans(): Plans {
    const { telemetry, session } = this.#foundation
    this.#parts.plans ??= traced(telemetry, 'plans', new TenantPlans(session))
    return this.#parts.plans
  }

  get approvals(): Approvals {
    const { telemetry, session, spec, callbacks } = this.#foundation
    this.#parts.approvals ??= traced(
      telemetry,
      'approvals',
      new TenantApprovals(session, (tool) => inputSchema(spec, callbacks, tool)),
    )
    return this.#parts.approvals
  }

  get cache(): Cache {
    const { telemetry, session, store } = this.#foundation
    // The version is part of no key.
    this.#parts.cache ??= tracedCache(
      telemetry,
      new TenantCache(session, JSON.stringify([store.publicKey, this.tenant.resourceId])),
    )
    return this.#parts.cache
  }

  get threads(): Threads {
    const { telemetry, session } = this.#foundation
    this.#parts.threads ??= traced(telemetry, 'threads', new TenantThreads(session))
    return this.#parts.threads
  }

  get traces(): Traces {
    this.#parts.traces ??= new TenantTraces(this.#foundation.session)
    return this.#parts.traces
  }

  get runs(): Runs {
    this.#parts.runs ??= new TenantRuns(this.#foundation.session, this.#starter)
    return this.#parts.runs
  }

  get waits(): Waits {
    const { telemetry, session } = this.#foundation
    this.#parts.waits ??= traced(telemetry, 'waits', new TenantWaits(session))
    return this.#parts.waits
  }

  /** What starts the runs of a runtime, for its host. */
  static starterOf(runtime: TenantRuntime<RuntimeSpec>): RunStarter {
    return runtime.#starter
  }

  get #starter(): RunStarter {
    this.#parts.starter ??= this.#newStarter()
    return this.#parts.starter
  }

  #newStarter(): RunStarter {
    const { telemetry, session, spec, callbacks } = this.#foundation
    const { references, cache } = this
    return new RunStarter(session, hostParts(spec, callbacks, { references, cache, tracing: { telemetry, spec } }))
  }

  query(request: string | QueryRequest): Run {
    return this.#starter.begin<string>(request, undefined)
  }

  runSpecialist<N extends SpecialistNames<Spec>>(name: N, request: string | QueryRequest): Run<AgentOutput<Spec, N>> {
    return this.#starter.begin<AgentOutput<Spec, N>>(request, name)
  }

  async usage(): Promise<Usage> {
    const { session, spec } = this.#foundation
    const [storage, tokens] = await Promise.all([
      session.call(Operation.usage, noArguments, json<Usage['storage']>),
      session.call(Operation.tokens, noArguments, json<Usage['tokens']>),
    ])
    const { limits } = spec
    return { storage, tokens, limits: { ...DEFAULT_LIMITS, ...limits, run: { ...DEFAULT_LIMITS.run, ...limits.run } } }
  }

  erase(options: EraseOptions): Promise<EraseReceipt> {
    return this.#foundation.telemetry.during('bailiwick.runtime.erase', () => this.#erase(options))
  }

  async #erase(options: EraseOptions): Promise<EraseReceipt> {
    const prepare = () => {
      const { confirm } = readOptions(options, eraseChecks)
      assertText(confirm, 'confirm')
      return (message: Message) => message.text(confirm)
    }
    const receipt = await this.#foundation.session.call(Operation.erase, prepare, json<EraseReceipt>)
    await this.close()
    return receipt
  }

  close(): Promise<void> {
    return this.#foundation.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
