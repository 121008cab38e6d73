import type { Approval } from './approvals.ts'
import type { Prompt } from './callbacks.ts'
import type { FinishReason, RunEvent, RunFailure, TokensByModel } from './events.ts'
import type { Page } from './page.ts'
import type { RunLimits, Tenant } from './tenant.ts'
import type { Part } from './threads.ts'
import type { Wait } from './waits.ts'

/** A request to the agents of a runtime. */
export interface QueryRequest {
  readonly prompt: string | readonly Part[]
  /** The caller's own id, or one made by the package; the thread is created on first use. */
  readonly threadId?: string
  /**
   * The tenant named by the request, if any. It is only compared: if it differs from the runtime's, the
   * run rejects with TenantMismatchError before any I/O.
   */
  readonly tenant?: string | Tenant
  /** The user or service within the tenant: 1 to 1,024 bytes. */
  readonly actor?: string
  /** Cancels the run. */
  readonly signal?: AbortSignal
  /** Combined with the limits of the tenant and of the entry agent: the smallest applies. */
  readonly limits?: RunLimits
  /**
   * The same key is the same run, for as long as that run is kept: a webhook that is delivered twice starts one run, and both calls get
   * its events and its result. 1 to 1,024 bytes. The rest of the second request is ignored.
   */
  readonly requestKey?: string
  /**
   * While another run writes the thread, or waits for it: `reject` with ThreadBusyError (default); `queue`, which begins the run in its
   * turn, by itself; `steer`, which hands the prompt to the run that has the thread; or `replace`, which cancels that run and goes before
   * those that wait. At most 100 runs wait for a thread.
   *
   * A run takes the prompts that are handed to it before it asks its model again. A suspended one goes on at once: in the process that
   * asked, or, if that one has died, in a host. Its model is told which of its calls wait. The actor, the limits and the instructions are
   * those of that run. While a routed agent works for the run, a prompt waits until that agent is done. If the run ends before, the prompt
   * begins a run in its turn.
   *
   * The answer to such a prompt is in the run that took it, and in the thread. The events of the request end with `run.steered`, which names
   * that run: `into`. To stream the answer, follow that run (`runs.follow`): the answer comes after the event `prompt.received` whose `from`
   * is the `runId` of the request, and before the next `run.suspended` or the end of the run. To stop it, cancel that run. `result()` of the
   * request resolves once that run ends or is suspended, with that run's `runId` and result, whose `text` is the answer. In the thread, the
   * message with the prompt has the `runId` of the request, and its actor.
   */
  readonly whenBusy?: 'reject' | 'queue' | 'steer' | 'replace'
  /**
   * Epoch milliseconds, at most 29 days ahead: the run begins then, by itself. If its thread is busy then, the run waits for its turn, unless
   * `whenBusy` is `replace`. A time that has passed is now.
   */
  readonly startAt?: number
  /** What the system prompts of the run's agents end with, such as the date or the user's name. Kept with the run; at most 64 KiB. */
  readonly instructions?: string | Prompt
}

/**
 * Status of a run. `queued`: it begins by itself once its thread is free, or its time has come. `interrupted`: its process died or its
 * runtime was closed; resume it. `steered`: its prompt was handed to the run that had its thread, which answers it; its last event,
 * `run.steered`, names that run.
 */
export type RunStatus =
  | 'queued'
  | 'running'
  | 'interrupted'
  | 'suspended'
  | 'completed'
  | 'limited'
  | 'failed'
  | 'cancelled'
  | 'steered'

/**
 * What a resumed run does if the models, the prompt, the settings or the limits of its agents have changed since they began: `keep` goes
 * on with those that they began with, and agents that begin from then on have the new ones; `take` goes on with the new ones. What an
 * agent began with cannot be kept if no agent has a model of its provider any more: then it is taken.
 */
export type OnChanged = 'keep' | 'take'

/** Result of a run. A fault of a model or a tool is a result, not an error. */
export type RunResult<O = string> = {
  readonly runId: string
  readonly threadId: string
  /** The answer, complete or partial. */
  readonly text: string
  readonly usage: TokensByModel
  /** Finish reason of the last answer of a completed run: `length` and `content-filter` mean that it was cut off. */
  readonly finishReason?: FinishReason
} & (
  | {
      readonly status: 'completed'
      readonly output: O
      /**
       * The ids of calls with `whileWaiting: 'continue'` that still wait. Once one of them ends, a run of its own brings the result to the
       * thread.
       */
      readonly waiting?: readonly string[]
    }
  | { readonly status: 'suspended'; readonly approvals: readonly Approval[]; readonly waits: readonly Wait[] }
  | { readonly status: 'limited'; readonly limit: keyof RunLimits }
  | { readonly status: 'failed'; readonly error: RunFailure }
  | { readonly status: 'cancelled' }
)

/**
 * A run: it proceeds from the call on, with or without an iterator. Each iterator begins with the first event, ends
 * after the last, and throws only what `result()` rejects with.
 */
export interface Run<O = string> extends AsyncIterable<RunEvent> {
  readonly runId: string
  /** Set at once by `query`; after `result()` for a resumed run. */
  readonly threadId?: string
  /** Rejects with the package's errors only. */
  result(): Promise<RunResult<O>>
  /** Cancels the run and aborts the signals of its tools and models. Does nothing once the run has ended. */
  cancel(): void
}

/** Summary of a run, as lists return it. Times are epoch milliseconds. */
export interface RunSummary {
  readonly runId: string
  readonly threadId: string
  readonly status: RunStatus
  /** The entry agent: the one that received the request. */
  readonly agent: string
  readonly actor?: string
  readonly startedAt: number
  readonly updatedAt: number
  readonly usage: TokensByModel
}

/** The runs of a tenant, from their journals. */
export interface Runs {
  /** Returns runs, newest first. With several filters, a page may have fewer items than `limit` and still have a cursor. */
  list(options?: {
    readonly status?: RunStatus
    readonly threadId?: string
    readonly actor?: string
    readonly limit?: number
    readonly cursor?: string
  }): Promise<Page<RunSummary>>
  /** Returns a run. Rejects with NotFoundError. */
  get(runId: string): Promise<RunSummary>
  /**
   * Yields a run's events from the journal, then live, until the run ends, `signal` is aborted or the runtime is closed. With the
   * sequence of the last seen event as `after`, no event is lost or repeated. Throws NotFoundError.
   *
   * @example
   * ```ts
   * for await (const event of runtime.runs.follow(runId, { after: lastSeen })) console.log(event.type)
   * ```
   */
  follow(runId: string, options?: { readonly after?: number; readonly signal?: AbortSignal }): AsyncIterable<RunEvent>
  /**
   * Resumes an interrupted or suspended run from its journal: finished steps are not repeated. Begins a queued run if it is its turn. For
   * a run that has ended, `result()` returns its result; a `steered` run resumes the run that took its prompt. For a completed run with
   * calls that waited, of which one has ended, it begins or resumes the run that goes on with them. Rejects with NotFoundError, and with
   * ThreadBusyError while it is running or it is not its turn.
   */
  resume(runId: string, options?: { readonly onChanged?: OnChanged }): Run<unknown>
  /**
   * Cancels a run that has not ended: its approvals are withdrawn, its waits are cancelled, and its thread is free. One that is queued does
   * not begin. Of a completed run, cancels the run that goes on with the calls that it has left, if one does. Rejects with NotFoundError.
   */
  cancel(runId: string): Promise<void>
}
