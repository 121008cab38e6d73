import type { Approval, ApprovalRecord } from './approvals.ts'
import type { ModelEvent } from './callbacks.ts'
import type { JsonValue } from './json.ts'
import type { RunLimits, TokenUsage } from './limits.ts'
import type { Page } from './page.ts'
import type { Part } from './threads.ts'

/** Tokens by model. */
export interface TokensByModel {
  readonly [model: string]: TokenUsage
}

/** Why a model's answer ended. */
export type FinishReason = Extract<ModelEvent, { readonly type: 'finish' }>['reason']

/** Why a run failed. */
export interface RunFailure {
  readonly code: 'MODEL_FAILED' | 'OUTPUT_INVALID' | 'CALLBACK_FAILED' | 'INTERNAL'
  readonly message: string
  /** Whether the same may succeed later. */
  readonly retryable: boolean
  /** When it is worth to try again, in milliseconds, if the provider said so. */
  readonly retryAfterMs?: number
}

/** What every event has. */
interface EventFields {
  readonly runId: string
  /** Its place in the run's journal, without gaps. */
  readonly sequence: number
  /** Epoch milliseconds. */
  readonly at: number
  /** The agent that it is about. */
  readonly agent?: string
}

/** What a call of a tool came to that failed. */
export interface ToolFailure {
  /** `TOOL_FAILED`, `INPUT_INVALID`, `REJECTED`, `TIMEOUT`, …, or the code of the error that the handler threw. */
  readonly code: string
  readonly message: string
}

/** What a model is shown of a result that is kept as a reference. */
export interface ReferencedResult {
  readonly reference: string
  readonly type: string
  readonly byteLength: number
  /** What it holds, in short; null where the reference has been deleted since. */
  readonly glimpse: JsonValue
}

/** An event that is in a run's journal. It is emitted after its commit: what a consumer saw survives a crash. */
export type JournaledEvent = EventFields &
  (
    | { readonly type: 'run.started'; readonly prompt: string | readonly Part[]; readonly actor?: string }
    | { readonly type: 'agent.started' | 'agent.completed'; readonly agent: string }
    | {
        readonly type: 'model.completed'
        readonly model: string
        readonly usage: TokenUsage
        readonly finishReason: FinishReason
        /** What the provider did not do as asked. */
        readonly warnings?: readonly string[]
      }
    | { readonly type: 'tool.called'; readonly callId: string; readonly tool: string; readonly input: JsonValue }
    | {
        readonly type: 'tool.completed'
        readonly callId: string
        /** The result, or what the model is shown of it. */
        readonly result: JsonValue
        /** The id of the reference under which it is kept, if it is. */
        readonly reference?: string
      }
    | { readonly type: 'tool.failed'; readonly callId: string; readonly error: ToolFailure }
    | {
        /** A result was kept; `references.describe` says more. */
        readonly type: 'reference.created'
        readonly reference: string
      }
    | { readonly type: 'plan.saved'; readonly planId: string; readonly version: number; readonly hash: string }
    | {
        readonly type: 'approval.requested'
        readonly approval: Approval
        /** The call that waits for it; of a plan's approval there is none. */
        readonly callId?: string
      }
    | { readonly type: 'approval.decided'; readonly record: ApprovalRecord }
    | { readonly type: 'run.suspended'; readonly approvals: readonly Approval[] }
    | {
        readonly type: 'run.completed'
        readonly text: string
        readonly output: JsonValue
        readonly usage: TokensByModel
        /** How the last answer of the agent that was asked ended; absent where none of its answers was a model's. */
        readonly finishReason?: FinishReason
      }
    | { readonly type: 'run.failed'; readonly error: RunFailure }
    | { readonly type: 'run.limited'; readonly limit: keyof RunLimits }
    | { readonly type: 'run.cancelled' }
  )

/**
 * A piece of what a model writes. It is never stored: whoever is slow gets longer pieces, and whoever comes late the
 * whole message as one.
 */
export interface DeltaEvent {
  readonly type: 'text.delta' | 'reasoning.delta'
  readonly runId: string
  readonly at: number
  readonly agent: string
  readonly messageId: string
  readonly delta: string
  /** Where it begins in the message's text or reasoning, in UTF-16 units as `String.length` counts them. */
  readonly offset: number
  /** The sequence of the last event before it. */
  readonly after: number
}

/**
 * A model broke off while it wrote a message and is asked again: what was shown of that message does not count. Never stored.
 */
export interface DiscardedEvent {
  readonly type: 'message.discarded'
  readonly runId: string
  readonly at: number
  readonly agent: string
  readonly messageId: string
  /** The sequence of the last event before it. */
  readonly after: number
}

/** An event of a run. */
export type RunEvent = JournaledEvent | DeltaEvent | DiscardedEvent

interface TraceFields {
  /** Epoch milliseconds. */
  readonly at: number
  /** Its place in the journal, without gaps. */
  readonly sequence: number
}

/** Something that happened to a tenant: outside of its runs, or, with a `runId`, in one of them. */
export type TraceEvent = HostEvent | JournaledEvent

/** Something that happened to a tenant outside of its runs. */
export type HostEvent = TraceFields &
  (
    | {
        /** A query that named another tenant was refused; at most one a second is recorded. */
        readonly type: 'request.rejected'
        readonly reason: 'tenant'
      }
    | {
        /** The host's own code put a value. */
        readonly type: 'reference.created'
        /** Its id; `references.describe` says more, as long as it is there. */
        readonly reference: string
      }
    | {
        /** The host's own code saved a plan. */
        readonly type: 'plan.saved'
        readonly planId: string
        readonly version: number
        readonly hash: string
      }
    | {
        /** The tenant was erased. Only those who follow at that moment learn of it; it is the last event. */
        readonly type: 'tenant.erased'
      }
  )

/**
 * What happened to a tenant. Events are written a moment after they happen, and a crash may lose the last moment of them.
 * The newest are kept: at most 10,000 (or the limit on items of `traces`, if that is less), for 7 days unless the retention
 * says otherwise. They count for no quota.
 */
export interface Traces {
  /**
   * Events, newest first: with a `runId` those of that run, from its journal; else all, those of runs among those that belong to
   * none. Runs that overlapped in time come one after the other, the one that began last first.
   */
  list(options?: {
    readonly runId?: string
    readonly limit?: number
    readonly cursor?: string
  }): Promise<Page<TraceEvent>>
  /**
   * Events as they happen, those of runs at work in this process included, from when the iteration begins until `signal` is
   * aborted or the runtime is closed. Those of a run are in order; a run's deltas are not among them. Whoever falls far behind misses the
   * oldest: `list` and `runs.follow` have them. It keeps the process alive.
   *
   * @example
   * ```ts
   * for await (const event of runtime.traces.follow({ signal })) console.log(event.type, event.at)
   * ```
   */
  follow(options?: { readonly signal?: AbortSignal }): AsyncIterable<TraceEvent>
}
