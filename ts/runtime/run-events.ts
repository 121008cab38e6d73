import type { Approval, ApprovalRecord } from '../ledger/index.ts'
import type { ModelEvent, Part } from '../spec/callbacks.ts'
import type { JsonValue } from '../spec/json-value.ts'
import type { RunLimits } from '../spec/limits.ts'
import type { TokenUsage } from './types.ts'

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
