import { NotFoundError } from '../../../errors/index.ts'
import { sendable, withoutItem } from '../../../prompt/index.ts'
import { isPlainObject } from '../../../spec/checks/plain-json.ts'
import type { ModelRequest } from '../../../types/callbacks.ts'
import type { JsonObject, JsonValue } from '../../../types/json.ts'
import type { Message, Part } from '../../../types/threads.ts'
import type { FileData, PromptMessage, PromptPart, ToolOutput } from '../language-model.ts'
import { type Dialect, dialectOf } from './dialect.ts'
import type { FileContent } from './file-data.ts'
import { fromOpaque } from './opaque-parts.ts'
import { WireIds } from './wire-ids.ts'

/**
 * What is told in words rather than as it is: nothing, files that are no images, or whatever a provider may refuse: all files, while
 * opaque parts and metadata are left out.
 */
export type InWords = 'nothing' | 'files' | 'all'

/** Whom a prompt is for. */
export interface Addressee {
  /** Its name: opaque parts go back to the provider of this name alone. */
  readonly provider: string
  readonly modelId: string
  /** Converts the content of a file for its version of the interface. */
  readonly wrap: (content: FileContent) => FileData
  /** Parts sent as text, because it rejected or ignored their own form. */
  readonly inWords: InWords
}

/** Under this name our own metadata of a part lies beside the providers'. */
export const ownMetadata = 'bailiwick'

/** Text at the end of an interrupted answer. */
const cutOff: PromptPart = { type: 'text', text: '[The answer was cut off here.]' }

/**
 * The conversation of a request as a prompt of the AI SDK that a provider takes: first made sendable ({@link sendable}), then
 * in the provider's own terms. Ids of calls become what it takes, and files that are gone and those that it refuses become texts.
 * Where a provider refuses calls unless it is offered tools, calls and results are told as texts when there are none.
 *
 * @throws what `resolve` throws (rejected), but for NotFoundError
 */
export async function toPrompt(request: ModelRequest, addressee: Addressee): Promise<PromptMessage[]> {
  const prompt: PromptMessage[] = request.system === '' ? [] : [{ role: 'system', content: request.system }]
  const messages = sendable(request.messages)
  const dialect = dialectOf(addressee.provider, addressee.modelId)
  const writer = new PromptWriter(request, addressee, dialect)
  const unanswered = dialect.wantsTools ? unansweredCalls(messages) : undefined
  const hasNoCalls = request.tools.length === 0 && dialect.wantsTools
  for (const message of hasNoCalls ? messages.map(withoutCalls) : messages) {
    const parts = unanswered === undefined ? message.parts : message.parts.filter((part) => !unanswered.has(part))
    const content = await writer.contentOf({ ...message, parts })
    // Providers refuse messages without content, as parts of another provider leave them.
    if (content.length > 0) addTurn(prompt, { role: message.role, content }, dialect)
  }
  return prompt
}

/**
 * Calls that a provider ran itself and never answered before the user went on, as an answer leaves them that ran out of tokens: it
 * refuses them then. While nobody has gone on, it may be asked again to answer them.
 */
function unansweredCalls(messages: readonly Message[]): Set<Part> {
  const unanswered = new Set<Part>()
  let open = new Map<unknown, Part>()
  for (const { role, parts } of messages) {
    if (role === 'user') {
      for (const part of open.values()) unanswered.add(part)
      open = new Map()
    }
    for (const part of parts) {
      if (part.type !== 'opaque' || !isPlainObject(part.data)) continue
      const { type, toolCallId } = part.data
      if (type === 'tool-call') open.set(toolCallId, part)
      if (type === 'tool-result') open.delete(toolCallId)
    }
  }
  return unanswered
}

/** Adds a message in the order that its provider takes. */
function addTurn(prompt: PromptMessage[], message: Turn, { wantsTurns, wantsAnswers }: Dialect): void {
  const last = prompt.at(-1)
  if (wantsAnswers && last?.role === 'tool' && message.role === 'user') {
    prompt.push({ role: 'assistant', content: [text('[No answer.]')] })
  }
  if (wantsTurns && last?.role === message.role) (last as Turn).content.push(...message.content)
  else prompt.push(message)
}

interface Turn {
  readonly role: Message['role']
  readonly content: PromptPart[]
}

/** A call as its provider is told: under which id, and what it was called. */
interface Told {
  readonly toolCallId: string
  readonly toolName: string
}

class PromptWriter {
  readonly #request: ModelRequest
  readonly #addressee: Addressee
  readonly #dialect: Dialect
  readonly #ids: WireIds
  /** Providers want the name of the tool beside its result, too. */
  readonly #told = new Map<string, Told>()

  constructor(request: ModelRequest, addressee: Addressee, dialect: Dialect) {
    this.#request = request
    this.#addressee = addressee
    this.#dialect = dialect
    this.#ids = new WireIds(dialect)
  }

  async contentOf({ role, parts, interrupted }: Message): Promise<PromptPart[]> {
    const content: PromptPart[] = []
    for (const part of parts) {
      const written = await this.#write(part, role)
      if (written !== undefined) content.push(written)
    }
    // The parts of other providers that stood behind it are gone.
    while (content.at(-1)?.type === 'reasoning') content.pop()
    if (interrupted === true && role === 'assistant') content.push(cutOff)
    // Some packages leave files out that are no images, or put them elsewhere, and an empty message would be refused.
    if (role === 'user' && content.length > 0 && content.every(isOtherFile)) content.unshift(text('[Files alone.]'))
    return content
  }

  async #write(part: Part, role: Message['role']): Promise<PromptPart | undefined> {
    switch (part.type) {
      case 'text':
      case 'reasoning':
        return this.#saysNothing(part) ? undefined : this.#withOptions(part, { type: part.type, text: part.text })
      case 'file':
        return await this.#file(part, role)
      case 'tool-call':
        return this.#call(part)
      case 'tool-result':
        return this.#result(part)
      default:
        return this.#opaque(part)
    }
  }

  /** Whether it is blank, and has no metadata that its provider is known to want back. */
  #saysNothing({ type, text: words, metadata }: Extract<Part, { type: 'text' | 'reasoning' }>): boolean {
    if (words.trim() !== '') return false
    if (this.#addressee.inWords === 'all' || !isPlainObject(metadata)) return true
    if (type === 'text' && !this.#dialect.takesBlankText) return true
    return this.#dialect.names?.some((name) => Object.hasOwn(metadata, name)) === false
  }

  #call(part: Extract<Part, { type: 'tool-call' }>): PromptPart {
    const given = givenId(part)
    const toolCallId = given === undefined ? this.#ids.idOf(part.callId) : this.#ids.keep(given)
    const told = { toolCallId, toolName: part.tool }
    this.#told.set(part.callId, told)
    const isAsWritten = toolCallId === (given ?? part.callId)
    return this.#withOptions(isAsWritten ? part : withoutItem(part), { type: 'tool-call', ...told, input: part.input })
  }

  #result(part: Extract<Part, { type: 'tool-result' }>): PromptPart | undefined {
    const told = this.#told.get(part.callId)
    return told && this.#withOptions(part, { type: 'tool-result', ...told, output: outputOf(part) })
  }

  #opaque({ provider, data }: Extract<Part, { type: 'opaque' }>): PromptPart | undefined {
    if (provider !== this.#addressee.provider || this.#addressee.inWords === 'all') return undefined
    return fromOpaque(data, this.#addressee.wrap)
  }

  async #file(part: Extract<Part, { type: 'file' }>, role: Message['role']): Promise<PromptPart> {
    const { mediaType } = part
    if (role === 'assistant' && !this.#dialect.takesFilesOfAssistant) {
      return text(`[A file of the type ${mediaType} of the assistant.]`)
    }
    const bytes = await this.#bytesOf(part.reference)
    if (bytes === undefined) return text(`[A file of the type ${mediaType} was here. It is no longer available.]`)
    if (this.#isTaken(mediaType))
      return this.#withOptions(part, { type: 'file', mediaType, data: this.#addressee.wrap(bytes) })
    const words = isText(mediaType) && bytes.length <= mostTextBytes ? textOf(bytes) : undefined
    if (words !== undefined) return text(`[A file of the type ${mediaType}:]\n${words}`)
    return text(`[A file of the type ${mediaType} of the ${role}, which this model does not take.]`)
  }

  #isTaken(mediaType: string): boolean {
    const { inWords } = this.#addressee
    return inWords === 'nothing' || (inWords === 'files' && mediaType.startsWith('image/'))
  }

  async #bytesOf(reference: string): Promise<Uint8Array | undefined> {
    try {
      return (await this.#request.resolve(reference)).bytes
    } catch (error) {
      if (NotFoundError.isInstance(error)) return undefined
      throw error
    }
  }

  #withOptions({ metadata }: Part, part: PromptPart): PromptPart {
    if (this.#addressee.inWords === 'all' || !isPlainObject(metadata)) return part
    if (!Object.hasOwn(metadata, ownMetadata)) return { ...part, providerOptions: metadata as JsonObject }
    const { [ownMetadata]: _own, ...providerOptions } = metadata as JsonObject
    return Object.keys(providerOptions).length === 0 ? part : { ...part, providerOptions }
  }
}

/** The id that a provider gave a call, where a shorter one stands for it. */
function givenId({ metadata }: Part): string | undefined {
  const own = isPlainObject(metadata) ? metadata[ownMetadata] : undefined
  const callId = isPlainObject(own) ? own['callId'] : undefined
  return typeof callId === 'string' ? callId : undefined
}

/** A message whose calls and results are told as texts. */
function withoutCalls(message: Message): Message {
  if (message.role === 'user') return message
  const parts = message.parts.map((part): Part => {
    if (part.type === 'tool-call') return text(`[I called the tool ${part.tool} with ${JSON.stringify(part.input)}.]`)
    if (part.type === 'tool-result') return text(`[The tool answered: ${JSON.stringify(part.result)}]`)
    return part
  })
  return { ...message, role: message.role === 'tool' ? 'user' : message.role, parts }
}

/** Most bytes of a text sent in place of a file that a model does not accept. */
const mostTextBytes = 256 << 10

function isOtherFile(part: PromptPart): boolean {
  return part.type === 'file' && !part.mediaType.startsWith('image/')
}

function isText(mediaType: string): boolean {
  return mediaType.startsWith('text/') || mediaType.startsWith('application/json')
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function text(words: string): { readonly type: 'text'; readonly text: string } {
  return { type: 'text', text: words }
}

function outputOf({ result, isError }: { readonly result: JsonValue; readonly isError?: boolean }): ToolOutput {
  if (typeof result === 'string') return { type: isError === true ? 'error-text' : 'text', value: result }
  return { type: isError === true ? 'error-json' : 'json', value: result }
}
