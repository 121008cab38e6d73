import type { JsonSchema, JsonValue } from '../types/json.ts'

// Events of AG-UI 1.0 as far as a run uses them. Described structurally: they fit the schemas of `@ag-ui/core`, whose `EventType` has these
// texts for values.

/** Fields that any event may have. */
interface EventFields {
  /** Epoch milliseconds. */
  readonly timestamp?: number
  /** The agent that was called and that this belongs to: the id of `SUBAGENT_STARTED`. Absent: the agent that was asked. */
  readonly subagentRunId?: string
}

/** Something that a run waits for. */
export interface AgUiInterrupt {
  /** The id of an approval, for `approvals.respond`, or of a wait, for `waits.settle`. */
  readonly id: string
  /** `tool_call`: an approval. `input_required`: an answer. `bailiwick:event` and `bailiwick:time`: nothing that a person answers. */
  readonly reason: 'tool_call' | 'input_required' | 'bailiwick:event' | 'bailiwick:time'
  readonly message?: string
  readonly toolCallId?: string
  /** The JSON Schema of an answer. */
  readonly responseSchema?: JsonSchema
  /** ISO 8601. */
  readonly expiresAt?: string
  /** Of an approval its `subject`, of a wait its `tool`, and `choices`, `name`, `to` and `dueAt` if it has them. */
  readonly metadata?: { readonly [name: string]: JsonValue }
}

/** Tokens of one model. Parts of the totals are never added to them. */
export interface AgUiUsage {
  readonly provider: string
  readonly model: string
  readonly inputTokens: number
  readonly outputTokens: number
  readonly totalTokens: number
  readonly reasoningTokens: number
  readonly cachedInputTokens: number
  readonly cacheWriteInputTokens: number
}

/** Why a run ended. */
export type AgUiOutcome =
  | { readonly type: 'success'; readonly pendingToolCallIds?: readonly string[] }
  | { readonly type: 'interrupt'; readonly interrupts: readonly AgUiInterrupt[] }
  | { readonly type: 'cancelled' }

/** An event of AG-UI 1.0. */
export type AgUiEvent = EventFields &
  (
    | {
        readonly type: 'RUN_STARTED'
        readonly threadId: string
        readonly runId: string
        readonly protocolVersion: '1.0'
      }
    | {
        readonly type: 'RUN_FINISHED'
        readonly threadId: string
        readonly runId: string
        readonly result?: JsonValue
        readonly outcome: AgUiOutcome
        readonly usage: readonly AgUiUsage[]
      }
    | {
        readonly type: 'RUN_ERROR'
        readonly message: string
        readonly code: string
        readonly usage: readonly AgUiUsage[]
      }
    | { readonly type: 'STEP_STARTED' | 'STEP_FINISHED'; readonly stepName: string }
    | { readonly type: 'TEXT_MESSAGE_START'; readonly messageId: string; readonly role: 'assistant' }
    | { readonly type: 'TEXT_MESSAGE_CONTENT'; readonly messageId: string; readonly delta: string }
    | { readonly type: 'TEXT_MESSAGE_END'; readonly messageId: string }
    | { readonly type: 'REASONING_START' | 'REASONING_END' | 'REASONING_MESSAGE_END'; readonly messageId: string }
    | { readonly type: 'REASONING_MESSAGE_START'; readonly messageId: string; readonly role: 'reasoning' }
    | { readonly type: 'REASONING_MESSAGE_CONTENT'; readonly messageId: string; readonly delta: string }
    | {
        readonly type: 'TOOL_CALL_START'
        readonly toolCallId: string
        readonly toolCallName: string
        readonly parentMessageId?: string
      }
    | { readonly type: 'TOOL_CALL_ARGS'; readonly toolCallId: string; readonly delta: string }
    | { readonly type: 'TOOL_CALL_END'; readonly toolCallId: string }
    | {
        readonly type: 'TOOL_CALL_RESULT'
        readonly messageId: string
        readonly toolCallId: string
        readonly content: string
        readonly role: 'tool'
      }
    | {
        readonly type: 'SUBAGENT_STARTED'
        readonly subagentRunId: string
        readonly name: string
        readonly parentSubagentRunId?: string
        readonly parentToolCallId?: string
      }
    | {
        readonly type: 'SUBAGENT_FINISHED'
        readonly subagentRunId: string
        readonly outcome: { readonly type: 'success' | 'suspended' }
      }
    | { readonly type: 'SUBAGENT_ERROR'; readonly subagentRunId: string; readonly message: string }
    | {
        /**
         * What AG-UI has no event for, under the name of the event of the run: `approval.requested` and `tool.waiting` with the approval and the
         * wait, `approval.decided` and `wait.settled` with id and status, `plan.saved`, `tool.progress` with how far a call is, and
         * `message.discarded`, which takes back the text of a message whose model broke off.
         */
        readonly type: 'CUSTOM'
        readonly name: string
        readonly value: JsonValue
      }
  )
