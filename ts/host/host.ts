import type { RequestListener } from 'node:http'
import { clearTimeout, setTimeout } from 'node:timers'
import { type Checks, option, readOptions } from '../arguments/options.ts'
import { ClosedError } from '../errors/index.ts'
import { forCaller } from '../errors/rejection.ts'
import { Operation } from '../native/operations.ts'
import { nothing, type Session } from '../session/session.ts'
import type { RuntimeSpec } from '../spec/index.ts'
import { OpenStore } from '../store/store.ts'
import type { OpenedParts } from '../tenant/create-runtime.ts'
import type { Runtime } from '../tenant/runtime.ts'
import type { Tenant } from '../types/tenant.ts'
import type { Activity, Tell } from './activity.ts'
import { type InspectorOptions, inspectorOf } from './inspector.ts'
import { Pool, type SpecFor } from './pool.ts'
import { assertWhole } from './whole.ts'
import { WorkLoop, type WorkRules, type WorkStats } from './work-loop.ts'

/** Numbers of a host. */
export interface HostStats extends WorkStats {
  /** Open handles. */
  readonly open: number
}

/** Result of a drain. */
export interface Drained {
  /** Runs that ended or were suspended meanwhile. */
  readonly finished: number
  /** Runs that were given up: any process may go on with them at once. */
  readonly released: number
}

/** Serves many tenants from one process, and takes up runs that can go on. */
export interface Host<Spec extends RuntimeSpec = RuntimeSpec> extends AsyncDisposable {
  /**
   * Returns the runtime of a tenant: the same object for every caller while it is open. It stays good until the host is closed; `close()`
   * gives it back, which no caller has to do. Rejects with NotFoundError if `specFor` has no spec for the tenant, and with what
   * `specFor` throws.
   */
  runtime(tenant: string | Tenant): Promise<Runtime<Spec>>
  /**
   * Takes up runs that can go on, from now on: those that waited for what has ended, such as an approval, and those whose process died or gave them up.
   * Several processes on one store share the work. It keeps the process alive until `drain`. A second call does nothing. Rejects with ClosedError after `drain`.
   */
  start(): Promise<void>
  /**
   * Takes nothing more up, and gives up what is at work, so that another process goes on with it at once: a run that the host has
   * taken up before its next step, and what remains after `deadlineMs` at once, as if the process had been killed. Runs that callers
   * have begun have until then; those of them that are queued are given up at once. Default 10,000. Runtimes can still be used afterwards.
   */
  drain(options?: { readonly deadlineMs?: number }): Promise<Drained>
  /** Returns numbers; nothing of any tenant. */
  stats(): HostStats
  /**
   * Returns a listener for `node:http` and routers like it: the page of `bailiwick inspect`, which updates itself, for the tenant that
   * `tenant` returns for a request. Put your authentication before it, and body parsers after it. It answers until the host is closed, then with 503. Throws
   * InvalidInputError for an option that will not do.
   */
  inspector(options: InspectorOptions): RequestListener
  /** Drains the host and closes its runtimes, and its store if it opened one by a URL. A second call does nothing. */
  close(): Promise<void>
}

/** What a host is made of. */
export interface HostFoundation extends WorkRules {
  readonly topology: RuntimeSpec
  readonly parts: OpenedParts
  readonly specFor: SpecFor | undefined
  readonly maxOpen: number
  readonly tell: Tell
  readonly emit: (activity: Activity) => void
}

type DrainOptions = NonNullable<Parameters<Host['drain']>[0]>

/** A run that the host works at. */
interface RunAtWork {
  readonly session: Session
  readonly runId: string
  readonly isTaken: boolean
  readonly over: Promise<boolean>
}

/** A timer of Node cannot be longer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1
const DEADLINE_MS = 10_000
/** The time that runs get to be given up. */
const GIVING_UP_MS = 5000
const drainChecks: Checks<DrainOptions> = { deadlineMs: option.number }

/** The one implementation of `Host`. */
export class TenantsHost<Spec extends RuntimeSpec> implements Host<Spec> {
  readonly #parts: OpenedParts
  readonly #pool: Pool
  readonly #loop: WorkLoop
  readonly #tell: Tell
  #draining: Promise<Drained> | undefined
  #closing: Promise<void> | undefined

  constructor({ topology, parts, specFor, maxOpen, tell, emit, ...rules }: HostFoundation) {
    this.#parts = parts
    this.#tell = tell
    this.#pool = new Pool(topology, parts, { specFor, maxOpen }, (type, tenant) => emit({ type, tenant }))
    this.#loop = new WorkLoop(OpenStore.sessionOf(parts.store), this.#pool, rules, tell, emit)
  }

  async runtime(tenant: string | Tenant): Promise<Runtime<Spec>> {
    if (this.#closing !== undefined) throw new ClosedError('This host is closed. Create another.')
    const { runtime } = await forCaller(this.#pool.entry(tenant))
    return runtime as Runtime<Spec>
  }

  async start(): Promise<void> {
    if (this.#draining !== undefined) throw new ClosedError('This host was drained. Create another.')
    OpenStore.sessionOf(this.#parts.store).assertOpen()
    this.#loop.start()
  }

  stats(): HostStats {
    return { open: this.#pool.size, ...this.#loop.stats }
  }

  inspector(options: InspectorOptions): RequestListener {
    const { publicKey } = this.#parts.store
    return inspectorOf({ runtime: (tenant) => this.runtime(tenant), publicKey, tell: this.#tell }, options)
  }

  async drain(options: DrainOptions = {}): Promise<Drained> {
    const { deadlineMs = DEADLINE_MS } = readOptions(options, drainChecks)
    assertWhole(deadlineMs, 'deadlineMs', 0)
    this.#draining ??= this.#drain(deadlineMs)
    return await this.#draining
  }

  async #drain(deadlineMs: number): Promise<Drained> {
    const deadline = Date.now() + deadlineMs
    const stopping = this.#loop.stop()
    const known = new Map<string, RunAtWork>()
    // Once more for those that were just being taken up.
    for (const before of [undefined, stopping]) {
      await before
      const taken = this.#atWork().filter(({ runId }) => !known.has(runId))
      for (const run of taken) known.set(run.runId, run)
      await Promise.all(taken.map((run) => release(run, run.isTaken ? 'beforeNextStep' : 'ifQueued')))
    }
    const runs = [...known.values()]
    const ended: boolean[] = []
    const over = Promise.all(runs.map(async (run) => ended.push(await run.over)))
    await unlessLate(over, deadline - Date.now())
    await Promise.all(this.#atWork().map((run) => release(run, 'atOnce')))
    // A caller may wait for a run that another process works at: that one is not given up here.
    await unlessLate(over, GIVING_UP_MS)
    const released = ended.filter((isReleased) => isReleased).length
    return { finished: ended.length - released, released }
  }

  #atWork(): RunAtWork[] {
    return this.#pool.open.flatMap(({ session, starter }) =>
      [...starter().running].map(([runId, running]) => ({ session, runId, ...running })),
    )
  }

  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    try {
      await this.drain()
      await this.#pool.close()
    } finally {
      if (this.#parts.ownsStore) await this.#parts.store.close()
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** How a run is given up, as the core reads it. */
const releases = { beforeNextStep: 0, atOnce: 1, ifQueued: 2 } as const

/** Gives a run up. One that is over meanwhile needs nothing. */
async function release({ session, runId }: RunAtWork, how: keyof typeof releases): Promise<void> {
  await session.submit(Operation.runRelease, (message) => message.text(runId).u8(releases[how]), nothing).catch(nothing)
}

/** Waits for a promise that never rejects, at most so long. */
async function unlessLate(promise: Promise<unknown>, milliseconds: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, Math.max(0, Math.min(milliseconds, LONGEST_TIMER_MS)))
    promise.then(() => {
      clearTimeout(timer)
      resolve()
    }, nothing)
  })
}
