import { setTimeout } from 'node:timers'
import { ClosedError, NotFoundError, ThreadBusyError } from '../errors/index.ts'
import { Operation } from '../native/operations.ts'
import { json, nothing, type Session } from '../session/session.ts'
import type { OnChanged, RunResult } from '../types/runs.ts'
import type { Activity, Tell, WorkReason } from './activity.ts'
import type { Entry, Pool } from './pool.ts'

/** The pause after a question for work that failed. */
const PAUSE_MS = 1000

/**
 * A store of one process names runs ahead of their time when it is opened. Clocks of several processes differ by less than this, in
 * milliseconds.
 */
const EARLY_MS = 1000

/** A run that can go on. */
interface DueRun {
  readonly runId: string
  readonly dueAt: number
  /** The time of its row, if it has one. */
  readonly row?: number
  readonly reason: WorkReason
}

/** The work of one tenant. */
interface TenantWork {
  readonly tenant: string
  readonly runs: readonly DueRun[]
  readonly hasMore: boolean
}

/** What a store answers that is asked for work. */
interface TakenWork {
  readonly work: readonly TenantWork[]
  /** The result of its housekeeping since the last answer, if there was any. */
  readonly swept?: Omit<Extract<Activity, { readonly type: 'sweep' }>, 'type'>
}

/** A tenant with runs that are taken. */
interface Turn {
  readonly waiting: DueRun[]
  working: number
  /** The store has more than it has given. */
  hasMore: boolean
  /** It is being asked. */
  isAsking: boolean
}

/** How runs are taken up: how many at a time, and with which definitions. */
export interface WorkRules {
  readonly concurrency: number
  readonly concurrencyPerTenant: number
  readonly onChanged: OnChanged | undefined
}

/** Numbers of a loop. */
export interface WorkStats {
  /** Runs at work that it has taken up. */
  readonly working: number
  /** Runs that it has taken and that wait for their turn. */
  readonly waiting: number
  /** Tenants of which the store has more. */
  readonly due: number
  /** Runs that it has taken up, of those that ended or were suspended, those that were given up, and those that failed. */
  readonly taken: number
  readonly ended: number
  readonly released: number
  readonly refused: number
  /** Runs that it has taken up, by why they could go on. */
  readonly takenBy: { readonly [reason in WorkReason]: number }
}

/** Asks a store for runs that can go on, and takes them up: so many at a time, in turn between tenants. */
export class WorkLoop {
  readonly #store: Session
  readonly #pool: Pool
  readonly #rules: WorkRules
  readonly #tell: Tell
  readonly #emit: (activity: Activity) => void
  /** Tenants in turn: that whose run was started last comes last. */
  readonly #turns = new Map<string, Turn>()
  /** Runs that wait or are worked at. */
  readonly #known = new Map<string, DueRun>()
  /** Those of them that can go on once more: what they waited for next has ended already. */
  readonly #again = new Map<string, DueRun>()
  #working = 0
  #counts = { taken: 0, ended: 0, released: 0, refused: 0 }
  readonly #takenBy = { settled: 0, interrupted: 0, queued: 0 }
  #loop: Promise<void> | undefined
  #isStopped = false
  /** Ends a pause of the loop. */
  #goOn: () => void = nothing

  constructor(store: Session, pool: Pool, rules: WorkRules, tell: Tell, emit: (activity: Activity) => void) {
    this.#store = store
    this.#pool = pool
    this.#rules = rules
    this.#tell = tell
    this.#emit = emit
  }

  get stats(): WorkStats {
    let [waiting, due] = [0, 0]
    for (const turn of this.#turns.values()) {
      waiting += turn.waiting.length
      if (turn.hasMore) due += 1
    }
    return { working: this.#working, waiting, due, ...this.#counts, takenBy: { ...this.#takenBy } }
  }

  start(): void {
    if (!this.#isStopped) this.#loop ??= this.#run()
  }

  /** Takes nothing more, and leaves what waits for its turn to others. Resolves once the store is not asked any more. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#goOn()
    await this.#loop
    const left = [...this.#turns].filter(([, turn]) => turn.waiting.length > 0 || turn.hasMore)
    await Promise.all(left.map(([tenant, turn]) => this.#leave(tenant, turn)))
  }

  async #leave(tenant: string, turn: Turn): Promise<void> {
    const [first] = turn.waiting.splice(0)
    if (first === undefined) return
    try {
      const { session } = await this.#pool.entry(tenant)
      await session.submit(Operation.runRelease, (message) => message.text(first.runId).u8(0), nothing)
    } catch {
      // It is due again all the same, a few seconds later.
    }
  }

  async #run(): Promise<void> {
    while (!this.#isStopped && !this.#store.closed) {
      const room = this.#rules.concurrency - this.#known.size
      if (room <= 0) await this.#pause()
      else await this.#ask(room)
    }
  }

  async #ask(room: number): Promise<void> {
    const each = this.#rules.concurrencyPerTenant
    try {
      const { work, swept } = await this.#store.submit(
        Operation.workTake,
        (message) => message.optionalNumber(room).optionalNumber(each),
        json<TakenWork>,
      )
      if (swept !== undefined) this.#emit({ type: 'sweep', ...swept })
      for (const one of work) this.#add(one)
      this.#fill()
    } catch (error) {
      if (this.#store.closed) return
      this.#tell(error, {})
      await this.#pause(PAUSE_MS)
    }
  }

  /** Waits until a run is over, or for a time. */
  #pause(milliseconds?: number): Promise<void> {
    return new Promise((resolve) => {
      this.#goOn = resolve
      if (milliseconds !== undefined) setTimeout(resolve, milliseconds)
      if (this.#isStopped) resolve()
    })
  }

  #add({ tenant, runs, hasMore }: TenantWork): void {
    const turn = this.#turns.get(tenant) ?? { waiting: [], working: 0, hasMore, isAsking: false }
    this.#turns.set(tenant, turn)
    turn.hasMore = hasMore
    for (const run of runs) {
      const lateMs = Date.now() - run.dueAt
      if (this.#queue(turn, run) && run.reason === 'settled' && lateMs > -EARLY_MS) {
        this.#emit({ type: 'wait.due', tenant, runId: run.runId, lateMs: Math.max(0, lateMs) })
      }
    }
    this.#settle(tenant, turn)
  }

  /** Returns whether the run is news. */
  #queue(turn: Turn, run: DueRun): boolean {
    const known = this.#known.get(run.runId)
    if (known === undefined) {
      this.#known.set(run.runId, run)
      turn.waiting.push(run)
      return true
    }
    if (known.row === run.row || turn.waiting.includes(known)) return false
    const isNews = this.#again.get(run.runId)?.row !== run.row
    this.#again.set(run.runId, run)
    return isNews
  }

  /** Starts what there is room for. */
  #fill(): void {
    for (let isStarted = true; isStarted && !this.#isStopped; ) {
      isStarted = false
      for (const [tenant, turn] of this.#turns) {
        if (this.#working >= this.#rules.concurrency) return
        if (turn.working >= this.#rules.concurrencyPerTenant) continue
        const run = turn.waiting.shift()
        if (run === undefined) continue
        isStarted = true
        void this.#takeUp(tenant, turn, run)
      }
    }
  }

  async #takeUp(tenant: string, turn: Turn, run: DueRun): Promise<void> {
    turn.working += 1
    this.#working += 1
    try {
      const entry = await this.#pool.entry(tenant)
      await this.#work(entry, run)
    } catch (error) {
      // `specFor` says that the host does not serve the tenant.
      if (!NotFoundError.isInstance(error)) this.#refused(error, tenant, run)
    }
    turn.working -= 1
    this.#working -= 1
    this.#known.delete(run.runId)
    const again = this.#again.get(run.runId)
    this.#again.delete(run.runId)
    if (again !== undefined) this.#queue(turn, again)
    // It is the next one's turn.
    this.#turns.delete(tenant)
    this.#turns.set(tenant, turn)
    this.#settle(tenant, turn)
    this.#fill()
    this.#goOn()
  }

  async #work({ tenant, starter }: Entry, { runId, row, reason, dueAt }: DueRun): Promise<void> {
    this.#counts.taken += 1
    this.#takenBy[reason] += 1
    const began = Date.now()
    this.#emit({ type: 'run.taken', tenant, runId, reason, waitedMs: Math.max(0, began - dueAt) })
    const ended = (status: RunResult['status'] | 'released' | 'refused') =>
      this.#emit({ type: 'run.ended', tenant, runId, status, durationMs: Date.now() - began })
    try {
      const { status } = await starter().takeUp(runId, row, this.#rules.onChanged).result()
      this.#counts.ended += 1
      ended(status)
    } catch (error) {
      if (ClosedError.isInstance(error)) {
        this.#counts.released += 1
        ended('released')
      } else {
        this.#refused(error, tenant, { runId })
        ended('refused')
      }
    }
  }

  #refused(error: unknown, tenant: string, { runId }: { readonly runId: string }): void {
    // Another process, or a call of the host's own, has it.
    if (ThreadBusyError.isInstance(error)) return
    this.#counts.refused += 1
    this.#tell(error, { tenant, runId })
  }

  /** Asks for more of a tenant that is through with what it had, or forgets a tenant that has nothing. */
  #settle(tenant: string, turn: Turn): void {
    if (turn.waiting.length > 0 || turn.isAsking || this.#isStopped) return
    if (turn.hasMore && turn.working < this.#rules.concurrencyPerTenant) void this.#askMore(tenant, turn)
    else if (!turn.hasMore && turn.working === 0) this.#turns.delete(tenant)
  }

  async #askMore(tenant: string, turn: Turn): Promise<void> {
    turn.isAsking = true
    turn.hasMore = false
    try {
      const { session } = await this.#pool.entry(tenant)
      const most = this.#rules.concurrencyPerTenant
      const more = await session.submit(Operation.workMore, (message) => message.optionalNumber(most), json<TenantWork>)
      turn.isAsking = false
      this.#add(more)
      this.#fill()
    } catch (error) {
      // It is due again, a few seconds later.
      turn.isAsking = false
      this.#tell(error, { tenant })
      this.#settle(tenant, turn)
    }
  }
}
