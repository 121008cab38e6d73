import type { Approval } from './approvals.ts'
import type { FinishReason, RunEvent, RunFailure, TokensByModel } from './events.ts'
import type { RunLimits } from './limits.ts'
import type { Page } from './page.ts'
import type { Tenant } from './tenant.ts'
import type { Part } from './threads.ts'

/** What is asked of a runtime's agents. */
export interface QueryRequest {
  readonly prompt: string | readonly Part[]
  /** The caller's own or ours; created on first use. */
  readonly threadId?: string
  /**
   * The tenant that came with the request, if one did. It is only ever compared: if it differs from the runtime's, the
   * run rejects with TenantMismatchError before any I/O.
   */
  readonly tenant?: string | Tenant
  /** Who in the tenant asks: 1 to 256 bytes. */
  readonly actor?: string
  /** Cancels the run. */
  readonly signal?: AbortSignal
  /** Go with the limits of the tenant and of the agent: the stricter counts. */
  readonly limits?: RunLimits
}

/** How a run stands. `interrupted`: its process died or its runtime was closed; resume it. */
export type RunStatus = 'running' | 'interrupted' | 'suspended' | 'completed' | 'limited' | 'failed' | 'cancelled'

/** What came of a run. What a model or a tool did wrong is a result, not an error. */
export type RunResult<O = string> = {
  readonly runId: string
  readonly threadId: string
  /** The answer, or what there is of one. */
  readonly text: string
  readonly usage: TokensByModel
  /** How its last answer ended, of a run that is completed: `length` and `content-filter` cut it off. */
  readonly finishReason?: FinishReason
} & (
  | { readonly status: 'completed'; readonly output: O }
  | { readonly status: 'suspended'; readonly approvals: readonly Approval[] }
  | { readonly status: 'limited'; readonly limit: keyof RunLimits }
  | { readonly status: 'failed'; readonly error: RunFailure }
  | { readonly status: 'cancelled' }
)

/**
 * A run: it goes on from the call on, whether anybody iterates it or not. Each iterator begins with the first event, ends
 * after the last, and throws only what `result()` rejects with.
 */
export interface Run<O = string> extends AsyncIterable<RunEvent> {
  readonly runId: string
  /** At once after `query`; after `result()` when a run was resumed. */
  readonly threadId?: string
  /** Rejects with the package's errors only. */
  result(): Promise<RunResult<O>>
  /** Ends it, and its tools' and models' signals with it. Does nothing to a run that is over. */
  cancel(): void
}

/** What lists show of a run. Times are epoch milliseconds. */
export interface RunSummary {
  readonly runId: string
  readonly threadId: string
  readonly status: RunStatus
  /** The agent that was asked. */
  readonly agent: string
  readonly actor?: string
  readonly startedAt: number
  readonly updatedAt: number
  readonly usage: TokensByModel
}

/** The runs of a tenant, from their journals. */
export interface Runs {
  /** Runs, newest first. With several filters, a page may have fewer items than `limit` and still go on. */
  list(options?: {
    readonly status?: RunStatus
    readonly threadId?: string
    readonly actor?: string
    readonly limit?: number
    readonly cursor?: string
  }): Promise<Page<RunSummary>>
  /** A run. Rejects with NotFoundError. */
  get(runId: string): Promise<RunSummary>
  /**
   * A run's events from the journal, then live, until it is over, `signal` is aborted or the runtime is closed. With the
   * sequence of the last event that was seen as `after`, nothing is lost or seen twice. Throws NotFoundError.
   *
   * @example
   * ```ts
   * for await (const event of runtime.runs.follow(runId, { after: lastSeen })) console.log(event.type)
   * ```
   */
  follow(runId: string, options?: { readonly after?: number; readonly signal?: AbortSignal }): AsyncIterable<RunEvent>
  /**
   * Goes on with a run that is interrupted or suspended, from its journal alone: what is finished is not done again. Of
   * one that is over, `result()` gives the result. Rejects with NotFoundError, and with ThreadBusyError if it is at work.
   */
  resume(runId: string): Run<unknown>
  /** Ends a run that is not over: its approvals are withdrawn and its thread is free. Rejects with NotFoundError. */
  cancel(runId: string): Promise<void>
}
