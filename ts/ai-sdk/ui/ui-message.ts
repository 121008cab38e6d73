import type { JsonValue } from '../../types/json.ts'

// Messages and the stream protocol of `useChat` (AI SDK 5 and later), as far as a run uses them. Described structurally:
// they fit `UIMessage` and `UIMessageChunk` of the `ai` package.

/** A message as `useChat` shows it. */
export interface UIMessage {
  /** Of a user's message the id that its browser gave it (`fromUIMessages`), else its own; of an answer the id of its run. */
  id: string
  role: 'user' | 'assistant'
  parts: UIMessagePart[]
}

/** A part of a shown message. */
export type UIMessagePart =
  | { type: 'step-start' }
  | { type: 'text' | 'reasoning'; text: string; state: 'done' }
  | { type: 'file'; mediaType: string; url: string; filename?: string }
  | { type: 'data-reference'; id: string; data: ShownReference }
  | { type: 'data-approval' | 'data-wait'; id: string; data: unknown }
  | UIToolPart

/** A tool call of a shown message: a static tool part of the AI SDK, named after the tool. */
export type UIToolPart = { type: `tool-${string}`; toolCallId: string; input: JsonValue } & (
  | { state: 'input-available' }
  | { state: 'approval-requested'; approval: { id: string } }
  | { state: 'output-available'; output: JsonValue }
  | { state: 'output-error'; errorText: string }
)

/** A result that is kept as a reference: the data of a part `data-reference`. */
export interface ShownReference {
  /** The id for `references.resolve`. */
  id: string
  type: string
  byteLength: number
  /** Preview of the value; null if it has been deleted since. */
  glimpse: JsonValue
}

/**
 * Progress of a called agent: the preliminary output of its call, which its answer replaces. An agent that it
 * calls in turn shows its own work here meanwhile.
 */
export interface AgentProgress {
  agent: string
  /** Text of its newest message so far. */
  text: string
  /** The tools that it called, oldest first. */
  tools: { callId: string; tool: string; state: 'running' | 'done' | 'failed' }[]
}

/** A message that was taken back: the data of a part `data-discarded`. */
export interface DiscardedParts {
  messageId: string
  /** Number of parts right before this one that do not count. */
  parts: number
}

/** What a message shows: the data of a transient part `data-sequence`, which goes to `onData` of `useChat` and is no part of the message. */
export interface ShownUpTo {
  runId: string
  /** The sequence of the last event that is shown. What the message shows at this moment can go on with `after` of `toUIMessageStream`. */
  sequence: number
}

/** How far a call is: the data of a transient part `data-progress`. */
export interface ShownProgress {
  callId: string
  value: JsonValue
}

/** A piece of an answer on its way to `useChat`. */
export type UIMessageChunk =
  | { type: 'start'; messageId?: string }
  | { type: 'start-step' | 'finish-step' | 'abort' }
  | { type: 'text-start' | 'text-end' | 'reasoning-start' | 'reasoning-end'; id: string }
  | { type: 'text-delta' | 'reasoning-delta'; id: string; delta: string }
  | { type: 'tool-input-available'; toolCallId: string; toolName: string; input: unknown }
  | { type: 'tool-output-available'; toolCallId: string; output: unknown; preliminary?: boolean }
  | { type: 'tool-output-error'; toolCallId: string; errorText: string }
  | { type: 'tool-approval-request'; approvalId: string; toolCallId: string }
  | { type: 'data-reference'; id: string; data: ShownReference }
  | { type: 'data-discarded'; id: string; data: DiscardedParts }
  | { type: 'data-approval' | 'data-plan' | 'data-wait'; id: string; data: unknown }
  | { type: 'data-sequence'; data: ShownUpTo; transient: true }
  | { type: 'data-progress'; data: ShownProgress; transient: true }
  | { type: 'error'; errorText: string }
  | { type: 'finish'; finishReason: 'stop' | 'length' | 'tool-calls' | 'content-filter' | 'error' | 'other' }
