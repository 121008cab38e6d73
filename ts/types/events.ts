import type { Approval, ApprovalRecord } from './approvals.ts'
import type { ModelEvent } from './callbacks.ts'
import type { JsonValue } from './json.ts'
import type { Page } from './page.ts'
import type { RunLimits, TokenUsage } from './tenant.ts'
import type { Part } from './threads.ts'
import type { Resumed, Wait, WaitRecord } from './waits.ts'

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
  /** Whether a retry may succeed. */
  readonly retryable: boolean
  /** Milliseconds to wait before a retry, if the provider said so. */
  readonly retryAfterMs?: number
}

/** Fields of every event. */
interface EventFields {
  readonly runId: string
  /** Its place in the run's journal, without gaps. */
  readonly sequence: number
  /** Epoch milliseconds. */
  readonly at: number
  /** The agent of the event. */
  readonly agent?: string
}

/** Failure of a tool call. */
export interface ToolFailure {
  /** `TOOL_FAILED`, `INPUT_INVALID`, `REJECTED`, `TIMEOUT`, …, or the code of the error that the handler threw. */
  readonly code: string
  readonly message: string
}

/** The completed run whose calls, which waited, a run goes on with. That run has no prompt: it begins with the result of such a call. */
export interface ContinuedRun {
  readonly runId: string
}

/** A result that is stored as a reference, as the model sees it. */
export interface ReferencedResult {
  readonly reference: string
  readonly type: string
  readonly byteLength: number
  /** Preview of the value; null if the reference has been deleted since. */
  readonly glimpse: JsonValue
}

/** An event in a run's journal, emitted after its commit: events that a consumer saw survive a crash. */
export type JournaledEvent = EventFields &
  (
    | {
        /** The run waits for its thread, or for its time: `run.started` follows. */
        readonly type: 'run.queued'
        readonly prompt: string | readonly Part[]
        readonly actor?: string
        /** When it begins at the earliest, in epoch milliseconds. */
        readonly startAt?: number
        readonly continues?: ContinuedRun
      }
    | {
        readonly type: 'run.started'
        /** An empty text if the run goes on with calls of another: `continues`. */
        readonly prompt: string | readonly Part[]
        readonly actor?: string
        readonly continues?: ContinuedRun
      }
    | {
        /** The prompt of a request with `whenBusy: 'steer'` was handed to the run. */
        readonly type: 'prompt.received'
        /** The id of the run that was queued with it, and that ends with `run.steered`. */
        readonly from: string
        readonly prompt: string | readonly Part[]
        readonly actor?: string
      }
    | { readonly type: 'agent.started' | 'agent.completed'; readonly agent: string }
    | {
        /**
         * The oldest messages of the agent's conversation no longer fit and were folded, or a message that is too large alone was
         * shortened: then nothing may be folded, and the ids and the summary are empty.
         */
        readonly type: 'context.folded'
        /** The ids of the first and the last message that are folded, in the thread or the run. */
        readonly from: string
        readonly to: string
        /** Tokens of the folded messages, estimated. */
        readonly tokens: number
        /** What the model is sent in their place. */
        readonly summary: string
        /** What was used to write it, with `compact: 'summary'`. */
        readonly usage?: TokensByModel
      }
    | {
        readonly type: 'model.completed'
        readonly model: string
        readonly usage: TokenUsage
        readonly finishReason: FinishReason
        /** Parts of the request that the provider ignored. */
        readonly warnings?: readonly string[]
      }
    | { readonly type: 'tool.called'; readonly callId: string; readonly tool: string; readonly input: JsonValue }
    | {
        readonly type: 'tool.completed'
        readonly callId: string
        /** The result, or the form of it that the model sees. */
        readonly result: JsonValue
        /** The id of the reference that stores it, if any. */
        readonly reference?: string
      }
    | {
        /** An attempt of a call failed, and another one follows: see `retry` of `defineTool`. */
        readonly type: 'tool.retried'
        readonly callId: string
        /** The number of the attempt that failed, from 1. */
        readonly attempt: number
        readonly error: ToolFailure
        /** The pause before the next attempt, in milliseconds. */
        readonly delayMs: number
      }
    | { readonly type: 'tool.failed'; readonly callId: string; readonly error: ToolFailure }
    | { readonly type: 'tool.waiting'; readonly callId: string; readonly wait: Wait }
    | { readonly type: 'wait.settled'; readonly record: WaitRecord }
    | {
        /** A call that waited is made again. */
        readonly type: 'tool.resumed'
        readonly callId: string
        readonly kind: Resumed['kind']
        /** Who settled the wait. */
        readonly actor?: string
      }
    | {
        /** A result was stored as a reference; `references.describe` returns its description. */
        readonly type: 'reference.created'
        readonly reference: string
      }
    | { readonly type: 'plan.saved'; readonly planId: string; readonly version: number; readonly hash: string }
    | {
        readonly type: 'approval.requested'
        readonly approval: Approval
        /** The call that waits for it; absent for the approval of a plan. */
        readonly callId?: string
      }
    | {
        readonly type: 'approval.decided'
        readonly record: ApprovalRecord
        /** The input with which the call is made instead of the one that was asked about. */
        readonly editedInput?: JsonValue
      }
    | {
        readonly type: 'run.suspended'
        readonly approvals: readonly Approval[]
        /** The open waits, if there are any, without `question`, `schema` and `choices`: `tool.waiting` has them. */
        readonly waits?: readonly Wait[]
      }
    | {
        readonly type: 'run.completed'
        readonly text: string
        readonly output: JsonValue
        readonly usage: TokensByModel
        /** Finish reason of the entry agent's last answer; absent if no model answered. */
        readonly finishReason?: FinishReason
        /** The ids of calls that still wait. Once one of them ends, another run goes on with them in the thread. */
        readonly waiting?: readonly string[]
      }
    | { readonly type: 'run.failed'; readonly error: RunFailure }
    | { readonly type: 'run.limited'; readonly limit: keyof RunLimits }
    | { readonly type: 'run.cancelled' }
    | {
        /** The prompt of the run was handed to another run, which goes on with it. It is the last event of this run. */
        readonly type: 'run.steered'
        /** The id of that run: its events, after `prompt.received`, have the answer. */
        readonly into: string
      }
  )

/**
 * A piece of a model's text. Deltas are never stored: a slow consumer gets longer pieces, and a late consumer gets the
 * whole message as one.
 */
export interface DeltaEvent {
  readonly type: 'text.delta' | 'reasoning.delta'
  readonly runId: string
  readonly at: number
  readonly agent: string
  readonly messageId: string
  readonly delta: string
  /** Offset in the message's text or reasoning, in UTF-16 units as `String.length` counts them. */
  readonly offset: number
  /** The sequence of the last event before it. */
  readonly after: number
}

/**
 * A model broke off in a message and is retried: the deltas of that message do not count. Never stored.
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

/**
 * How far a call is, as its handler says by `context.progress`. Never stored: a slow consumer gets the last of them, and a late one of a call
 * that is over none.
 */
export interface ProgressEvent {
  readonly type: 'tool.progress'
  readonly runId: string
  readonly at: number
  readonly agent: string
  readonly callId: string
  readonly value: JsonValue
  /** The sequence of the last event before it. */
  readonly after: number
}

/** An event of a run. */
export type RunEvent = JournaledEvent | DeltaEvent | DiscardedEvent | ProgressEvent

interface TraceFields {
  /** Epoch milliseconds. */
  readonly at: number
  /** Its place in the journal, without gaps. */
  readonly sequence: number
}

/** An event of a tenant: outside of its runs, or, with a `runId`, in one of them. */
export type TraceEvent = HostEvent | JournaledEvent

/** An event of a tenant outside of its runs. */
export type HostEvent = TraceFields &
  (
    | {
        /** A query that named another tenant was rejected; at most one per second is recorded. */
        readonly type: 'request.rejected'
        readonly reason: 'tenant'
      }
    | {
        /** The host's code stored a value. */
        readonly type: 'reference.created'
        /** Its id; `references.describe` returns its description until it expires or is deleted. */
        readonly reference: string
      }
    | {
        /** The host's code saved a plan. */
        readonly type: 'plan.saved'
        readonly planId: string
        readonly version: number
        readonly hash: string
      }
    | {
        /** The tenant was erased. Only current followers receive this event; it is the last one. */
        readonly type: 'tenant.erased'
      }
  )

/**
 * Events of a tenant. They are written a moment after they happen, and a crash may lose the last moment of them.
 * The newest are kept: at most 10,000 (or the limit on items of `traces`, if that is less), for 7 days unless the retention
 * says otherwise. They count for no quota.
 */
export interface Traces {
  /**
   * Returns events, newest first: with a `runId` those of that run, from its journal; else all, of runs and of
   * none. Runs that overlapped in time follow each other, the latest start first.
   */
  list(options?: {
    readonly runId?: string
    readonly limit?: number
    readonly cursor?: string
  }): Promise<Page<TraceEvent>>
  /**
   * Yields events as they happen, including those of runs in this process, from the start of the iteration until `signal` is
   * aborted or the runtime is closed. Events of one run are in order; deltas are not included. A consumer that falls far behind misses the
   * oldest events: `list` and `runs.follow` have them. The iteration keeps the process alive.
   *
   * @example
   * ```ts
   * for await (const event of runtime.traces.follow({ signal })) console.log(event.type, event.at)
   * ```
   */
  follow(options?: { readonly signal?: AbortSignal }): AsyncIterable<TraceEvent>
}
