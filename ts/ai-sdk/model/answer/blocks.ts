import { isPlainObject } from '../../../spec/checks/plain-json.ts'
import type { ModelEvent } from '../../../types/callbacks.ts'
import type { JsonObject } from '../../../types/json.ts'

type Kind = 'text' | 'reasoning'

/** A part that tells of a text or a reasoning, as far as it is read here. */
export interface Written {
  readonly type?: unknown
  readonly id?: unknown
  readonly delta?: unknown
  readonly providerMetadata?: unknown
}

/** A text or a reasoning that a model is writing. */
interface Block {
  readonly kind: Kind
  readonly id: string
  /** By the provider's name, and by the names in what it gave if that is an object. */
  readonly gathered: Map<string, unknown>
  /** Whether what was gathered has been told. */
  isTold: boolean
  /** The first half of a character whose second half comes with the next delta, or nothing. */
  half: string
}

/**
 * The texts and reasonings of one answer.
 *
 * Metadata may come with the start, with any delta or with the end of a block, new or again. It is gathered, and told at
 * most twice, whole: with the first event of its block, and at the end if it has changed since.
 */
export class Blocks {
  readonly #open = new Map<string, Block>()
  readonly #left: Block[] = []
  #begun = 0

  /** The event of a part; `undefined` for one that has nothing to tell yet. */
  eventOf(kind: Kind, part: Written): ModelEvent | undefined {
    const key = `${kind} ${String(part.id)}`
    // Some providers use an id again for the next block; ours are never the same twice in one stream.
    if (part.type === `${kind}-start`) this.#leave(key)
    const before = this.#open.get(key)
    const block = before ?? { kind, id: String(this.#begun++), gathered: new Map(), isTold: true, half: '' }
    if (before === undefined) this.#open.set(key, block)
    if (isPlainObject(part.providerMetadata)) gather(block, part.providerMetadata as JsonObject)
    const delta = wholeCharacters(block, typeof part.delta === 'string' ? part.delta : '')
    const isDue = before === undefined || part.type === `${kind}-end`
    if (isDue && !block.isTold) return told(block, delta)
    return delta === '' ? undefined : { type: `${kind}.delta`, id: block.id, delta }
  }

  /** A block whose id is used again: what it has not told stays to be told. */
  #leave(key: string): void {
    const block = this.#open.get(key)
    this.#open.delete(key)
    if (block?.isTold === false) this.#left.push(block)
  }

  /** Yields the end of blocks that the provider did not end. */
  ends(): ModelEvent[] {
    return [...this.#left, ...this.#open.values()].filter(({ isTold }) => !isTold).map((block) => told(block, ''))
  }
}

function told(block: Block, delta: string): ModelEvent {
  block.isTold = true
  const { kind, id, gathered } = block
  return { type: `${kind}.delta`, id, delta, metadata: metadataOf(gathered) }
}

/** Merges metadata by the name of the provider: later values win; equal ones change nothing. */
function gather(block: Block, later: JsonObject): void {
  for (const [provider, data] of Object.entries(later)) {
    const before = block.gathered.get(provider)
    if (!isPlainObject(data)) {
      if (block.gathered.has(provider) && isSame(before, data)) continue
      block.gathered.set(provider, data)
      block.isTold = false
      continue
    }
    const fields = before instanceof Map ? before : new Map<string, unknown>()
    if (fields !== before) {
      block.gathered.set(provider, fields)
      block.isTold = false
    }
    for (const [name, value] of Object.entries(data)) {
      if (fields.has(name) && isSame(fields.get(name), value)) continue
      fields.set(name, value)
      block.isTold = false
    }
  }
}

function metadataOf(gathered: ReadonlyMap<string, unknown>): JsonObject {
  const entries = Array.from(gathered, ([provider, data]) => [
    provider,
    data instanceof Map ? Object.fromEntries(data) : data,
  ])
  return Object.fromEntries(entries)
}

/** Compares as far as metadata is nested; what goes deeper, or into itself, is news each time. */
function isSame(one: unknown, other: unknown, levels = 20): boolean {
  if (one === other) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null || levels === 0)
    return false
  const names = Object.keys(one)
  const [before, after] = [one as Record<string, unknown>, other as Record<string, unknown>]
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => Object.hasOwn(after, name) && isSame(before[name], after[name], levels - 1))
  )
}

/** Some servers cut a text within a character, and half a character is no text that can be kept. */
function wholeCharacters(block: Block, delta: string): string {
  if (delta === '') return ''
  const text = block.half + delta
  const last = text.charCodeAt(text.length - 1)
  const cut = last >= 0xd800 && last <= 0xdbff ? text.length - 1 : text.length
  block.half = text.slice(cut)
  return text.slice(0, cut).toWellFormed()
}
