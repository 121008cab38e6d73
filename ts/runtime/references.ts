import { type Checks, type Given, option, readOptions } from '../arguments/options.ts'
import { InvalidInputError } from '../errors/index.ts'
import { partlyDone } from '../errors/partly-done.ts'
import type { Bridge } from '../native/bridge.ts'
import { type Answer, byteLengthOf, type Message, ownCopy } from '../native/message.ts'
import { Operation } from '../native/operations.ts'
import { readResolved } from '../native/resolved.ts'
import type { JsonValue } from '../spec/json-value.ts'
import { assertOpen, assertSize, assertText, isBytes, jsonText } from './guard.ts'
import type { Handle } from './handle.ts'
import { notFound } from './not-found.ts'
import { kindOf } from './shown.ts'
import type { Page, Reference, References, ReferenceValue, Resolved } from './types.ts'
import { valueWriter } from './value-writer.ts'

type PutItem = Parameters<References['putMany']>[0][number]
type PutOptions = NonNullable<Parameters<References['put']>[2]>
type ListOptions = NonNullable<Parameters<References['list']>[0]>

/** So many are resolved in one call. `crates/runtime/src/references.rs` has the same number. */
const MOST_RESOLVED = 1000
/** So many are put in one commit; the same there. */
const MOST_A_COMMIT = 250
/** So many are put by one call: they are checked at once, before the first is put. */
const MOST_PUT = 10_000
const ID_LENGTH = 'ref_'.length + 32
const FORMS = { json: 0, bytes: 2 } as const
const TEXT_VALUE = 1

const putChecks: Checks<PutOptions> = { ttlMs: option.number, mediaType: option.text }
const itemChecks: Checks<PutItem> = { type: option.any, value: option.any, ...putChecks }
const listChecks: Checks<ListOptions> = { type: option.text, limit: option.number, cursor: option.text }

type ReadItem = Given<PutItem>
type ItemWriter = (message: Message) => void

/** The references of one handle. */
export class TenantReferences implements References {
  readonly #bridge: Bridge
  readonly #handle: Handle

  constructor(bridge: Bridge, handle: Handle) {
    this.#bridge = bridge
    this.#handle = handle
  }

  async put(type: string, value: ReferenceValue, options: PutOptions = {}): Promise<Reference> {
    assertOpen(this.#handle)
    const write = itemWriter({ ...readOptions(options, putChecks), type, value })
    return await this.#submit(Operation.put, write, (answer) => answer.json<Reference>())
  }

  async putMany(items: readonly PutItem[]): Promise<Reference[]> {
    assertOpen(this.#handle)
    if (!Array.isArray(items))
      throw new InvalidInputError(`items must be an array of { type, value }, not ${kindOf(items)}.`)
    assertAtMost(MOST_PUT, items.length, 'items', 'putMany')
    // Not `map`, which passes over holes. What a later commit takes is copied now: the caller may change it meanwhile.
    const writers = Array.from(items, (item, at) => {
      const name = `items[${at}]`
      return itemWriter(readOptions(item, itemChecks, name, `${name}.`), `${name}.`, at >= MOST_A_COMMIT)
    })
    const done: Reference[] = []
    try {
      for (let start = 0; start < writers.length || start === 0; start += MOST_A_COMMIT) {
        for (const kept of await this.#putTogether(writers.slice(start, start + MOST_A_COMMIT))) done.push(kept)
      }
    } catch (error) {
      throw partlyDone(error, done, writers.length)
    }
    return done
  }

  /** Puts some in one commit. */
  #putTogether(writers: readonly ItemWriter[]): Promise<Reference[]> {
    const write = (message: Message) => {
      message.u32(writers.length)
      for (const writer of writers) writer(message)
    }
    return this.#submit(Operation.putMany, write, (answer) => answer.json<Reference[]>())
  }

  /** Not an async function: a hit is answered without going to another thread. */
  resolve(id: string): Promise<Resolved> {
    try {
      assertOpen(this.#handle)
      if (!isId(id)) return Promise.reject(notFound())
      const found = this.#bridge.resolveAtHand(this.#handle.number, id)
      if (found !== undefined) return Promise.resolve(found)
      return this.#submit(
        Operation.resolve,
        (message) => message.text(id),
        (answer) => readResolved(answer, id),
      )
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async resolveMany(ids: readonly string[]): Promise<(Resolved | undefined)[]> {
    assertOpen(this.#handle)
    if (!Array.isArray(ids)) throw new InvalidInputError(`ids must be an array of ids, not ${kindOf(ids)}.`)
    assertAtMost(MOST_RESOLVED, ids.length, 'ids', 'resolveMany')
    const asked = Array.from(ids, (id) => (isId(id) ? id : ''))
    const write = (message: Message) => {
      message.u32(asked.length)
      for (const id of asked) message.text(id)
    }
    return await this.#submit(Operation.resolveMany, write, (answer) =>
      asked.map((id) => (answer.u8() === 1 ? readResolved(answer, id) : undefined)),
    )
  }

  async describe(id: string): Promise<Reference> {
    assertOpen(this.#handle)
    if (!isId(id)) throw notFound()
    return await this.#submit(
      Operation.describe,
      (message) => message.text(id),
      (answer) => answer.json<Reference>(),
    )
  }

  async list(options: ListOptions = {}): Promise<Page<Reference>> {
    assertOpen(this.#handle)
    const { type, limit, cursor } = readOptions(options, listChecks)
    const write = (message: Message) =>
      message
        .text(type ?? '')
        .optionalNumber(limit)
        .text(cursor ?? '')
    return await this.#submit(Operation.list, write, (answer) => answer.json<Page<Reference>>())
  }

  async delete(id: string): Promise<boolean> {
    assertOpen(this.#handle)
    if (!isId(id)) return false
    return await this.#submit(
      Operation.delete,
      (message) => message.text(id),
      (answer) => answer.u8() === 1,
    )
  }

  #submit<T>(operation: Operation, write: (message: Message) => void, decode: (answer: Answer) => T): Promise<T> {
    return this.#bridge.submit(operation, this.#handle, write, decode)
  }
}

/** Before anything is done for each of them: however many there are, refusing them costs nothing. */
function assertAtMost(most: number, count: number, what: string, verb: string): void {
  if (count > most)
    throw new InvalidInputError(
      `There are ${count} ${what}; at most ${most} ${what} in one ${verb} are allowed. Split it.`,
    )
}

/**
 * Checks an item now and returns what writes it, so that nothing is half-written when a later item is wrong.
 *
 * @param prefix what stands before the name of its fields in messages
 * @param isLater whether it is written later, when the caller may have changed its bytes
 */
function itemWriter({ type, value, ttlMs, mediaType }: ReadItem, prefix = '', isLater = false): ItemWriter {
  assertText(type, `${prefix}type`)
  const writeValue = contentWriter(isLater ? withOwnBytes(value) : value)
  return (message) => {
    message
      .text(type)
      .text(mediaType ?? '')
      .optionalNumber(ttlMs)
    writeValue(message)
  }
}

function withOwnBytes(value: unknown): unknown {
  if (!isBytes(value)) return value
  assertSize(byteLengthOf(value))
  return ownCopy(value, 0, byteLengthOf(value))
}

function contentWriter(value: unknown): (message: Message) => Message {
  if (typeof value !== 'string') return valueWriter(value as JsonValue | Uint8Array, FORMS, jsonText)
  assertSize(value.length)
  assertText(value, 'The value')
  return (message) => message.u8(TEXT_VALUE).text(value)
}

/** Whether it can be an id at all. What cannot is not found, like every id that is not this tenant's. */
function isId(id: unknown): id is string {
  return typeof id === 'string' && id.length === ID_LENGTH && id.startsWith('ref_')
}
