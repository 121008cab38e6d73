import type { JsonValue } from '../spec/json-value.ts'

// Messages and the stream protocol of `useChat` (AI SDK 5 and later), as far as a run uses them. Described structurally:
// they fit `UIMessage` and `UIMessageChunk` of the `ai` package.

/** A message as `useChat` shows it. */
export interface UIMessage {
  /** Of a user's message its own id; of an answer the id of its run. */
  id: string
  role: 'user' | 'assistant'
  parts: UIMessagePart[]
}

/** A part of a shown message. */
export type UIMessagePart =
  | { type: 'step-start' }
  | { type: 'text' | 'reasoning'; text: string; state: 'done' }
  | { type: 'file'; mediaType: string; url: string }
  | UIToolPart

/** A tool call of a shown message: a static tool part of the AI SDK, named after the tool. */
export type UIToolPart = { type: `tool-${string}`; toolCallId: string; input: JsonValue } & (
  | { state: 'input-available' }
  | { state: 'output-available'; output: JsonValue }
  | { state: 'output-error'; errorText: string }
)

/** A piece of an answer on its way to `useChat`. */
export type UIMessageChunk =
  | { type: 'start'; messageId?: string }
  | { type: 'start-step' | 'finish-step' | 'abort' }
  | { type: 'text-start' | 'text-end' | 'reasoning-start' | 'reasoning-end'; id: string }
  | { type: 'text-delta' | 'reasoning-delta'; id: string; delta: string }
  | { type: 'tool-input-available'; toolCallId: string; toolName: string; input: unknown }
  | { type: 'tool-output-available'; toolCallId: string; output: unknown }
  | { type: 'tool-output-error'; toolCallId: string; errorText: string }
  | { type: 'data-approval' | 'data-plan' | 'data-reference'; id: string; data: unknown }
  | { type: 'error'; errorText: string }
  | { type: 'finish'; finishReason: 'stop' | 'length' | 'tool-calls' | 'error' }
