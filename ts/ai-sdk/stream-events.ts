import type { ModelEvent } from '../spec/callbacks.ts'
import type { JsonObject } from '../spec/json-value.ts'
import { isPlainObject } from '../spec/plain-json.ts'
import { toFailure } from './failure.ts'
import { toUsage } from './usage.ts'

/** A part of a model's stream, as far as it is read here. */
interface StreamPart {
  readonly type?: unknown
  readonly id?: unknown
  readonly delta?: unknown
  readonly toolCallId?: unknown
  readonly toolName?: unknown
  readonly input?: unknown
  readonly providerExecuted?: unknown
  readonly providerMetadata?: unknown
  readonly finishReason?: unknown
  readonly usage?: unknown
  readonly error?: unknown
}

type FinishReason = Extract<ModelEvent, { type: 'finish' }>['reason']

/** A text or a reasoning that a model is writing. */
interface Block {
  readonly id: string
  metadata: JsonObject | undefined
  /** The first half of a character whose second half comes with the next delta, or nothing. */
  half: string
}

/** Turns the parts of one stream into the events of a model. */
export class StreamEvents {
  readonly #blocks = new Map<string, Block>()
  #begun = 0

  /**
   * The event of a part; `undefined` for one that has none.
   *
   * @throws ModelFailure for a part that says that the model failed
   */
  eventOf(given: unknown): ModelEvent | undefined {
    const part: StreamPart = isPlainObject(given) ? given : {}
    switch (part.type) {
      case 'text-start':
      case 'text-delta':
      case 'text-end':
        return this.#written('text', part)
      case 'reasoning-start':
      case 'reasoning-delta':
      case 'reasoning-end':
        return this.#written('reasoning', part)
      case 'tool-call':
        return toolCall(part)
      case 'finish':
        return finish(part)
      case 'error':
        // The request was accepted, so it is not what was asked that failed.
        throw toFailure(part.error, true)
      default:
        return undefined
    }
  }

  /**
   * Metadata may come with the start, with any delta or with the end of a block. It is gathered, and each event that has
   * some has all of it so far, so that the last one tells what is to be replayed.
   */
  #written(kind: 'text' | 'reasoning', part: StreamPart): ModelEvent | undefined {
    const key = `${kind} ${String(part.id)}`
    // Some providers use an id again for the next block; ours are never the same twice in one stream.
    if (part.type === `${kind}-start`) this.#blocks.delete(key)
    const block = this.#blocks.get(key) ?? { id: String(this.#begun++), metadata: undefined, half: '' }
    this.#blocks.set(key, block)
    const delta = wholeCharacters(block, typeof part.delta === 'string' ? part.delta : '')
    const hasNews = isPlainObject(part.providerMetadata)
    if (hasNews) block.metadata = merged(block.metadata, part.providerMetadata as JsonObject)
    if (delta === '' && !hasNews) return undefined
    return { type: `${kind}.delta`, id: block.id, delta, ...metadataOf(hasNews ? block.metadata : undefined) }
  }
}

/** Some servers cut a text within a character, and half a character is no text that can be kept. */
function wholeCharacters(block: Block, delta: string): string {
  const text = block.half + delta
  const cut = /[\ud800-\udbff]$/.test(text) ? text.length - 1 : text.length
  block.half = text.slice(cut)
  return text.slice(0, cut).toWellFormed()
}

/** Both, by the provider's name; what comes later goes before what came first. */
function merged(before: JsonObject = {}, later: JsonObject): JsonObject {
  const entries = Object.entries(later).map(([provider, data]) => {
    const earlier = Object.hasOwn(before, provider) ? before[provider] : undefined
    return [provider, isPlainObject(earlier) && isPlainObject(data) ? { ...earlier, ...data } : data]
  })
  return { ...before, ...Object.fromEntries(entries) }
}

function metadataOf(metadata: unknown): { metadata?: JsonObject } {
  return isPlainObject(metadata) ? { metadata: metadata as JsonObject } : {}
}

function toolCall(part: StreamPart): ModelEvent | undefined {
  // The provider ran it itself and puts its result into the answer: there is nothing left to do.
  if (part.providerExecuted === true) return undefined
  const { toolCallId, toolName, input } = part
  const text = typeof input === 'string' ? input : JSON.stringify(input ?? {})
  return {
    type: 'tool.call',
    callId: String(toolCallId),
    tool: String(toolName),
    // Some providers send nothing at all for a tool without arguments.
    input: text === '' ? '{}' : text,
    ...metadataOf(part.providerMetadata),
  }
}

function finish(part: StreamPart): ModelEvent | undefined {
  const reason = isPlainObject(part.finishReason) ? part.finishReason['unified'] : part.finishReason
  // Words for a stream that was cut (until version 2: that came without a reason): the loop must see that it did not finish.
  if (reason === 'interrupted' || reason === 'unknown') return undefined
  if (reason === 'error') throw toFailure('The model provider ended its answer with an error.', true)
  return { type: 'finish', reason: toReason(reason), usage: toUsage(part.usage), ...metadataOf(part.providerMetadata) }
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
