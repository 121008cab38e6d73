import { assertSize, assertText, isBytes, jsonText } from '../arguments/checks.ts'
import { isId, notFound } from '../arguments/ids.ts'
import { type Checks, type Given, option, readOptions } from '../arguments/options.ts'
import { kindOf } from '../common/shown-values.ts'
import { InvalidInputError } from '../errors/index.ts'
import { partlyDone } from '../errors/partly-done.ts'
import { byteLengthOf, type Message, ownCopy } from '../native/message.ts'
import { Operation } from '../native/operations.ts'
import { readResolved } from '../native/resolved.ts'
import { flag, json, type Session, type Write } from '../session/session.ts'
import { idWriter, pageChecks, valueWriter, writePage } from '../session/writers.ts'
import type { JsonValue } from '../types/json.ts'
import type { Page } from '../types/page.ts'
import type { Reference, References, ReferenceValue, Resolved } from '../types/references.ts'

type PutItem = Parameters<References['putMany']>[0][number]
type PutOptions = NonNullable<Parameters<References['put']>[2]>
type ListOptions = NonNullable<Parameters<References['list']>[0]>

/** Most ids in one `resolveMany`. `crates/runtime` has the same number. */
const MOST_RESOLVED = 1000
/** Most items in one commit; `crates/runtime` has the same number. */
const MOST_A_COMMIT = 250
/** Most items in one `putMany`: all are checked before the first is stored. */
const MOST_PUT = 10_000
const FORMS = { json: 0, bytes: 2 } as const
const TEXT_VALUE = 1

const putChecks: Checks<PutOptions> = { ttlMs: option.number, mediaType: option.text }
const itemChecks: Checks<PutItem> = { type: option.any, value: option.any, ...putChecks }
const listChecks: Checks<ListOptions> = { type: option.text, ...pageChecks }

export class TenantReferences implements References {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  put(type: string, value: ReferenceValue, options: PutOptions = {}): Promise<Reference> {
    const prepare = () => itemWriter({ ...readOptions(options, putChecks), type, value })
    return this.#session.call(Operation.put, prepare, json<Reference>)
  }

  async putMany(items: readonly PutItem[]): Promise<Reference[]> {
    this.#session.assertOpen()
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
  #putTogether(writers: readonly Write[]): Promise<Reference[]> {
    const write = (message: Message) => {
      message.u32(writers.length)
      for (const writer of writers) writer(message)
    }
    return this.#session.submit(Operation.putMany, write, json<Reference[]>)
  }

  /** Not an async function: a hit is answered without going to another thread. */
  resolve(id: string): Promise<Resolved> {
    try {
      const session = this.#session
      session.assertOpen()
      if (!isId('reference', id)) return Promise.reject(notFound())
      const found = session.bridge.resolveAtHand(session.number, id)
      if (found !== undefined) return Promise.resolve(found)
      return session.submit(
        Operation.resolve,
        (message) => message.text(id),
        (answer) => readResolved(answer, id),
      )
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async resolveMany(ids: readonly string[]): Promise<(Resolved | undefined)[]> {
    this.#session.assertOpen()
    if (!Array.isArray(ids)) throw new InvalidInputError(`ids must be an array of ids, not ${kindOf(ids)}.`)
    assertAtMost(MOST_RESOLVED, ids.length, 'ids', 'resolveMany')
    const asked = Array.from(ids, (id) => (isId('reference', id) ? id : ''))
    const write = (message: Message) => {
      message.u32(asked.length)
      for (const id of asked) message.text(id)
    }
    return await this.#session.submit(Operation.resolveMany, write, (answer) =>
      asked.map((id) => (answer.u8() === 1 ? readResolved(answer, id) : undefined)),
    )
  }

  describe(id: string): Promise<Reference> {
    return this.#session.call(Operation.describe, () => idWriter('reference', id), json<Reference>)
  }

  list(options: ListOptions = {}): Promise<Page<Reference>> {
    const prepare = () => {
      const { type = '', ...page } = readOptions(options, listChecks)
      return (message: Message) => writePage(message.text(type), page)
    }
    return this.#session.call(Operation.list, prepare, json<Page<Reference>>)
  }

  async delete(id: string): Promise<boolean> {
    this.#session.assertOpen()
    if (!isId('reference', id)) return false
    return await this.#session.call(Operation.delete, () => idWriter('reference', id), flag)
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
function itemWriter({ type, value, ttlMs, mediaType }: Given<PutItem>, prefix = '', isLater = false): Write {
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
