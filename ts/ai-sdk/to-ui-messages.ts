import type { Message, Part } from '../spec/callbacks.ts'
import type { JsonValue } from '../spec/json-value.ts'
import { isPlainObject } from '../spec/plain-json.ts'
import type { UIMessage, UIMessagePart, UIToolPart } from './ui-message.ts'

/** How messages are shown. */
export interface UIMessagesOptions {
  /** Where the content of a reference is served to its own tenant. Default: the id of the reference. */
  readonly fileUrl?: (reference: string) => string
}

/**
 * The messages of a thread as `useChat` of the AI SDK shows them: what a run said and did is one message with the run's id,
 * as in `toUIMessageStream`. Data of providers, such as signatures, is left out.
 *
 * @example
 * ```ts
 * const { items } = await runtime.threads.messages(threadId)
 * return Response.json(toUIMessages(items, { fileUrl: (id) => `/files/${id}` }))
 * ```
 */
export function toUIMessages(messages: readonly Message[], options: UIMessagesOptions = {}): UIMessage[] {
  const { fileUrl = (reference) => reference } = options
  const shown: UIMessage[] = []
  /** Where the call of an id is shown. */
  const calls = new Map<string, UIMessagePart[]>()
  let runId: string | undefined
  for (const message of messages) {
    const last = shown.at(-1)
    const goesOn = message.role === 'assistant' && last?.role === 'assistant' && runId === message.runId
    // A tool's message shows nothing of its own: results are shown where their calls are.
    const parts = goesOn ? last.parts : message.role === 'tool' ? [] : begin(message, shown).parts
    if (message.role === 'assistant') parts.push({ type: 'step-start' })
    runId = message.runId
    for (const part of message.parts) {
      if (part.type === 'tool-result') {
        complete(calls.get(part.callId) ?? [], part)
      } else if (part.type === 'tool-call') {
        calls.set(part.callId, parts)
        parts.push({
          type: `tool-${part.tool}`,
          toolCallId: part.callId,
          state: 'input-available',
          input: part.input,
        })
      } else if (part.type === 'file') {
        parts.push({ type: 'file', mediaType: part.mediaType, url: fileUrl(part.reference) })
      } else if (part.text !== '') {
        parts.push({ type: part.type, text: part.text, state: 'done' })
      }
    }
  }
  return shown
}

/** A new message at the end of those shown. An answer has its run's id, unless another part of that run has it already. */
function begin({ role, runId, messageId }: Message, shown: UIMessage[]): UIMessage {
  const isAnswer = role === 'assistant'
  const id = isAnswer && runId !== undefined && !shown.some((other) => other.id === runId) ? runId : messageId
  const message: UIMessage = { id, role: isAnswer ? 'assistant' : 'user', parts: [] }
  shown.push(message)
  return message
}

/** Puts the result of a call into the part that shows the call. */
function complete(parts: UIMessagePart[], { callId, result, isError }: Extract<Part, { type: 'tool-result' }>): void {
  const index = parts.findLastIndex((part) => 'toolCallId' in part && part.toolCallId === callId)
  const call = parts[index] as UIToolPart | undefined
  if (call === undefined) return
  const { type, toolCallId, input } = call
  parts[index] =
    isError === true
      ? { type, toolCallId, state: 'output-error', input, errorText: errorTextOf(result) }
      : { type, toolCallId, state: 'output-available', input, output: result }
}

function errorTextOf(result: JsonValue): string {
  if (typeof result === 'string') return result
  return isPlainObject(result) && typeof result['message'] === 'string' ? result['message'] : JSON.stringify(result)
}
