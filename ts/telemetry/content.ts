// Content in the JSON of the GenAI conventions (gen-ai-input-messages.json and its neighbours). A file stays a reference.
import type { Message, Part } from '../types/threads.ts'

/** Messages that a model is given. */
export function messagesText(messages: readonly Message[]): string {
  return JSON.stringify(messages.map(({ role, parts }) => ({ role, parts: parts.map(partOf) })))
}

/** Returns the answer of a model or an agent as one message of the assistant. */
export function outputText(parts: readonly Part[], finishReason = 'stop'): string {
  return JSON.stringify([{ role: 'assistant', parts: parts.map(partOf), finish_reason: finishReason }])
}

export function instructionsText(system: string): string {
  return JSON.stringify([{ type: 'text', content: system }])
}

function partOf(part: Part): object {
  switch (part.type) {
    case 'text':
    case 'reasoning':
      return { type: part.type, content: part.text }
    case 'file':
      return { type: 'file', modality: modalityOf(part.mediaType), mime_type: part.mediaType, file_id: part.reference }
    case 'tool-call':
      return { type: 'tool_call', id: part.callId, name: part.tool, arguments: part.input }
    case 'tool-result':
      return { type: 'tool_call_response', id: part.callId, response: part.result }
    case 'opaque':
      // Only its provider can read the content.
      return { type: 'opaque', provider: part.provider }
  }
}

function modalityOf(mediaType: string): string {
  const [kind = ''] = mediaType.split('/')
  return ['image', 'audio', 'video'].includes(kind) ? kind : 'document'
}
