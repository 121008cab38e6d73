import { sendableToolName } from '../common/tool-names.ts'
import type { Message, Part } from '../types/threads.ts'

// Texts sent to a model in place of parts that it cannot receive.

type Call = Extract<Part, { type: 'tool-call' }>
type Result = Extract<Part, { type: 'tool-result' }>

/** For a conversation that begins with an assistant: providers want the user's turn first. */
export const firstMessage: Part = text('[The conversation begins with the message of the assistant.]')

/** For a user's message that says nothing, which providers refuse. */
export const emptyMessage: Part = text('[An empty message.]')

/** For a call without a result. */
export function noResult(callId: string): Result {
  return {
    type: 'tool-result',
    callId,
    result: 'The call was interrupted or never run: there is no result.',
    isError: true,
  }
}

/** For a result that does not follow its call. One of a call that waited names the tool: much may have been said since. */
export function lateResult({ callId, result, state, tool, isError }: Result): Part {
  if (state === 'late' && tool !== undefined) {
    const outcome = isError === true ? 'has failed' : 'has this result'
    const name = sendableToolName(tool)
    return text(`[The call ${JSON.stringify(callId)} of the tool ${name}, which waited, ${outcome}: ${textOf(result)}]`)
  }
  return text(`[Result of the tool call ${JSON.stringify(callId)}: ${textOf(result)}]`)
}

/** The same message, in which each result of a call whose input a person edited says so: no provider has a field for it. */
export function withEditsTold(message: Message): Message {
  const isEdited = (part: Part) => part.type === 'tool-result' && part.editedInput !== undefined
  if (!message.parts.some(isEdited)) return message
  return { ...message, parts: message.parts.map((part) => (part.type === 'tool-result' ? toldOf(part) : part)) }
}

function toldOf(part: Result): Part {
  const { editedInput, ...rest } = part
  if (editedInput === undefined) return part
  const changed = 'A person changed the input of this call to editedInput before they approved it.'
  const outcome = part.isError === true ? 'The result says why it failed or was not made.' : 'It was made with that.'
  return { ...rest, result: { message: `${changed} ${outcome}`, editedInput, result: part.result } }
}

/** For a call in a message that is not the assistant's. */
export function misplacedCall({ tool, input }: Call): Part {
  return text(`[Call of the tool ${JSON.stringify(tool)} with ${textOf(input)}]`)
}

/** Whether a part says anything. Providers refuse blank texts; an empty reasoning is kept for its signature. */
export function hasWords(part: Part): boolean {
  return (part.type !== 'text' && part.type !== 'reasoning') || part.metadata !== undefined || part.text.trim() !== ''
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null)
}

function text(words: string): Part {
  return { type: 'text', text: words }
}
