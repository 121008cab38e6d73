import { InvalidInputError } from '../errors/index.ts'
import type { Message, ModelRequest, Part } from '../spec/callbacks.ts'
import type { JsonObject, JsonValue } from '../spec/json-value.ts'
import { isPlainObject } from '../spec/plain-json.ts'
import type { FileData, PromptMessage, PromptPart, ToolOutput } from './language-model.ts'

/** Which parts a message of each role may have in a prompt of the AI SDK. */
const allowed: { readonly [role in Message['role']]: readonly Part['type'][] } = {
  user: ['text', 'file'],
  assistant: ['text', 'reasoning', 'file', 'tool-call'],
  tool: ['tool-result'],
}

/**
 * The conversation of a request as a prompt of the AI SDK.
 *
 * @param wrapBytes how this version of the interface takes the bytes of a file
 * @throws InvalidInputError (rejected) for a part that its message cannot have and for a result without its call;
 *   NotFoundError for a file that is not there
 */
export async function toPrompt(
  request: ModelRequest,
  wrapBytes: (bytes: Uint8Array) => FileData,
): Promise<PromptMessage[]> {
  const prompt: PromptMessage[] = request.system === '' ? [] : [{ role: 'system', content: request.system }]
  const toolNames = toolNamesOf(request.messages)
  for (const { role, parts } of request.messages) {
    const misplaced = parts.find(({ type }) => !allowed[role].includes(type))
    if (misplaced !== undefined) throw new InvalidInputError(`A ${role} message cannot have a ${misplaced.type} part.`)
    const content = await Promise.all(
      parts.filter(hasContent).map(async (part) => ({
        ...(part.type === 'file' ? await toFile(part, request, wrapBytes) : toPart(part, toolNames)),
        ...providerOptionsOf(part),
      })),
    )
    // Providers refuse messages without content, as a model that says nothing leaves them.
    if (content.length > 0) prompt.push({ role, content })
  }
  return prompt
}

type FilePart = Extract<Part, { type: 'file' }>

async function toFile(
  { reference, mediaType }: FilePart,
  request: ModelRequest,
  wrapBytes: (bytes: Uint8Array) => FileData,
): Promise<PromptPart> {
  const { bytes } = await request.resolve(reference)
  return { type: 'file', mediaType, data: wrapBytes(bytes) }
}

function toPart(part: Exclude<Part, FilePart>, toolNames: ReadonlyMap<string, string>): PromptPart {
  if ('text' in part) return { type: part.type, text: part.text }
  const { callId: toolCallId } = part
  if (part.type === 'tool-call') return { type: 'tool-call', toolCallId, toolName: part.tool, input: part.input }
  const toolName = toolNames.get(toolCallId)
  if (toolName === undefined) throw new InvalidInputError(withoutCall(toolCallId))
  return { type: 'tool-result', toolCallId, toolName, output: outputOf(part) }
}

/** The tool of each call: providers want its name beside the result, too. */
function toolNamesOf(messages: readonly Message[]): Map<string, string> {
  const calls = messages.flatMap(({ parts }) => parts).filter((part) => part.type === 'tool-call')
  return new Map(calls.map(({ callId, tool }) => [callId, tool]))
}

/** Providers refuse empty texts; an empty reasoning is kept for its signature. */
function hasContent(part: Part): boolean {
  return (part.type !== 'text' && part.type !== 'reasoning') || part.text !== '' || part.metadata !== undefined
}

function providerOptionsOf({ metadata }: Part): { providerOptions?: JsonObject } {
  return isPlainObject(metadata) ? { providerOptions: metadata as JsonObject } : {}
}

function outputOf({ result, isError }: { result: JsonValue; isError?: boolean }): ToolOutput {
  if (typeof result === 'string') return { type: isError === true ? 'error-text' : 'text', value: result }
  return { type: isError === true ? 'error-json' : 'json', value: result }
}

function withoutCall(callId: string): string {
  return `The tool result of ${JSON.stringify(callId)} belongs to no tool call of the conversation. Put the assistant's message with that call before it.`
}
