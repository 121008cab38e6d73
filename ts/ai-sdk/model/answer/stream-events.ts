import { createHash } from 'node:crypto'
import { isPlainObject } from '../../../spec/checks/plain-json.ts'
import type { ModelEvent } from '../../../types/callbacks.ts'
import type { JsonObject, JsonValue } from '../../../types/json.ts'
import { mostFileLength, toOpaque } from '../request/opaque-parts.ts'
import { ownMetadata } from '../request/prompt.ts'
import { Blocks } from './blocks.ts'
import { toFailure } from './failure.ts'
import { toUsage, usageSoFar } from './usage.ts'
import { mostWarnings, warningText } from './warnings.ts'

/** A part of a model's stream. */
type StreamPart = Readonly<Record<string, unknown>>

type FinishReason = Extract<ModelEvent, { type: 'finish' }>['reason']

/** A longer id of a call is kept beside it: some servers put a signature there, and want it back. */
const longestId = 64
/** Most different sources of an answer. */
const mostSources = 64

const nothing: readonly ModelEvent[] = []

/** Turns the parts of one stream into the events of a model. */
export class StreamEvents {
  readonly #provider: string
  readonly #blocks = new Blocks()
  readonly #sources = new Set<string>()
  #filesLength = 0
  #warnings = 0
  #usage = ''

  /** @param provider the name that opaque parts of the answer are kept under */
  constructor(provider: string) {
    this.#provider = provider
  }

  /**
   * The events of a part, usually one or none.
   *
   * @throws ModelFailure for a part that says that the model failed
   */
  eventsOf(given: unknown): readonly ModelEvent[] {
    const part: StreamPart = isPlainObject(given) ? given : {}
    switch (part['type']) {
      case 'text-start':
      case 'text-delta':
      case 'text-end':
        return one(this.#blocks.eventOf('text', part))
      case 'reasoning-start':
      case 'reasoning-delta':
      case 'reasoning-end':
        return one(this.#blocks.eventOf('reasoning', part))
      case 'tool-call':
        return part['providerExecuted'] === true ? this.#opaque(part) : one(toolCall(part))
      case 'tool-result':
      case 'file':
      case 'reasoning-file':
      case 'source':
        return this.#opaque(part)
      case 'custom':
        // Not content, but news about the message that begins.
        return String(part['kind']).endsWith('.message_start') ? this.#used(part) : this.#opaque(part)
      case 'raw':
        return this.#used(part)
      case 'stream-start':
        return Array.isArray(part['warnings'])
          ? part['warnings'].flatMap((warning) => this.warning(warningText(warning)))
          : nothing
      case 'tool-approval-request':
        return this.warning('The provider asks for the approval of a tool that it runs itself. It gets none.')
      case 'finish':
        return this.#finish(part)
      case 'error':
        // The request was accepted, so it is not the cause of the failure.
        throw toFailure(part['error'], true)
      default:
        return nothing
    }
  }

  /** Warnings of the provider; none after the first few. */
  warning(message: string): readonly ModelEvent[] {
    this.#warnings += 1
    return this.#warnings > mostWarnings ? nothing : [{ type: 'warning', message }]
  }

  /** A part that only its provider understands, in its place. */
  #opaque(part: StreamPart): readonly ModelEvent[] {
    const data = toOpaque(part)
    if (data === undefined) return nothing
    if (data['type'] === 'source') {
      const source = String(data['url'] ?? data['id'])
      if (this.#sources.has(source) || this.#sources.size >= mostSources) return nothing
      this.#sources.add(source)
    }
    if (typeof data['data'] === 'string') {
      this.#filesLength += data['data'].length
      if (this.#filesLength > mostFileLength) {
        return this.warning(`A generated file of the type ${String(data['mediaType'])} is too large to be kept.`)
      }
    }
    return [{ type: 'opaque', provider: this.#provider, data }]
  }

  /** Yields the tokens used so far, if the part reports them and they changed. */
  #used(part: StreamPart): readonly ModelEvent[] {
    const usage = usageSoFar(part)
    if (usage === undefined) return nothing
    const text = JSON.stringify(usage)
    if (text === this.#usage) return nothing
    this.#usage = text
    return [{ type: 'usage', usage }]
  }

  #finish(part: StreamPart): readonly ModelEvent[] {
    const { finishReason } = part
    const reason = isPlainObject(finishReason) ? finishReason['unified'] : finishReason
    // Words for a stream that was cut (until version 2: that came without a reason): the loop must see that it did not finish.
    if (reason === 'interrupted' || reason === 'unknown') return nothing
    if (reason === 'error') throw toFailure('The model provider ended its answer with an error.', true)
    const isPaused = isPlainObject(finishReason) && finishReason['raw'] === 'pause_turn'
    return [
      ...this.#blocks.ends(),
      {
        type: 'finish',
        reason: isPaused ? 'pause' : toReason(reason),
        usage: toUsage(part['usage']),
        ...metadataOf(part['providerMetadata']),
      },
    ]
  }
}

function one(event: ModelEvent | undefined): readonly ModelEvent[] {
  return event === undefined ? nothing : [event]
}

function metadataOf(metadata: unknown): { metadata?: JsonObject } {
  return isPlainObject(metadata) ? { metadata: metadata as JsonObject } : {}
}

function toolCall(part: StreamPart): ModelEvent {
  const { toolCallId, toolName, input } = part
  const text = typeof input === 'string' ? input : JSON.stringify(input ?? {})
  const given = typeof toolCallId === 'string' ? toolCallId : ''
  const isLong = given.length > longestId
  const metadata = {
    ...metadataOf(part['providerMetadata']).metadata,
    ...(isLong ? { [ownMetadata]: { callId: given } } : {}),
  }
  return {
    type: 'tool.call',
    callId: isLong ? shortId(given) : given === '' ? 'call' : given,
    tool: typeof toolName === 'string' ? toolName : '',
    // Some providers send nothing at all for a tool without arguments.
    input: text === '' ? '{}' : text,
    ...(Object.keys(metadata).length === 0 ? {} : { metadata: metadata as JsonValue }),
  }
}

function shortId(id: string): string {
  return `call_${createHash('sha256').update(id).digest('hex').slice(0, 32)}`
}

function toReason(reason: unknown): FinishReason {
  switch (reason) {
    case 'stop':
    case 'length':
    case 'tool-calls':
    case 'content-filter':
      return reason
    default:
      return 'other'
  }
}
