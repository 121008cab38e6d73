import { type Checks, option, readOptions } from '../arguments/options.ts'
import { InvalidInputError } from '../errors/index.ts'
import type { Bridge } from '../native/bridge.ts'
import type { Answer, Message } from '../native/message.ts'
import { Operation } from '../native/operations.ts'
import type { JsonValue } from '../spec/json-value.ts'
import { awaiting, computing, wouldWaitForItself } from './computations.ts'
import { assertOpen, assertText, wholeJsonText } from './guard.ts'
import type { Handle } from './handle.ts'
import { kindOf } from './shown.ts'
import type { Cache } from './types.ts'
import { valueWriter } from './value-writer.ts'

type CacheOptions = NonNullable<Parameters<Cache['set']>[2]>

const checks: Checks<CacheOptions> = { ttlMs: option.number }

const ABSENT = 0
const FORMS = { json: 1, bytes: 2 } as const

/** The cache of one handle. */
export class TenantCache implements Cache {
  readonly #bridge: Bridge
  readonly #handle: Handle
  /** Whose cache it is, the same for all handles of a tenant. */
  readonly #owner: string

  constructor(bridge: Bridge, handle: Handle, owner: string) {
    this.#bridge = bridge
    this.#handle = handle
    this.#owner = owner
  }

  async get<T = JsonValue | Uint8Array<ArrayBuffer>>(key: string): Promise<T | undefined> {
    assertOpen(this.#handle)
    assertText(key, 'key')
    return await this.#submit(
      Operation.cacheGet,
      (message) => message.text(key),
      (answer) => read<T>(answer, answer.u8()),
    )
  }

  async set(key: string, value: JsonValue | Uint8Array, options: CacheOptions = {}): Promise<void> {
    assertOpen(this.#handle)
    assertText(key, 'key')
    const { ttlMs } = readOptions(options, checks)
    const writeValue = valueWriter(value, FORMS, wholeJsonText)
    const write = (message: Message) => writeValue(message.text(key).optionalNumber(ttlMs))
    await this.#submit(Operation.cacheSet, write, () => undefined)
  }

  async delete(key: string): Promise<boolean> {
    assertOpen(this.#handle)
    assertText(key, 'key')
    return await this.#submit(
      Operation.cacheDelete,
      (message) => message.text(key),
      (answer) => answer.u8() === 1,
    )
  }

  async getOrCompute<T extends JsonValue | Uint8Array>(
    key: string,
    options: CacheOptions,
    compute: () => T | Promise<T>,
  ): Promise<T> {
    assertOpen(this.#handle)
    assertText(key, 'key')
    const { ttlMs } = readOptions(options, checks)
    if (typeof compute !== 'function')
      throw new InvalidInputError(`compute must be a function, not ${kindOf(compute)}.`)
    const value = `${this.#owner}\n${key}`
    if (wouldWaitForItself(value)) {
      // It may have been set meanwhile; then there is nothing to wait for.
      const kept = await this.get<T>(key)
      if (kept !== undefined) return kept
      throw new InvalidInputError(
        'This value is being computed by whoever asks for it, or waits for what they compute: they would wait for ever. ' +
          'Compute it from other keys, or ask with get.',
      )
    }
    return await awaiting(value, async () => {
      const begun = await this.#submit(
        Operation.cacheBegin,
        (message) => message.text(key).optionalNumber(ttlMs),
        (answer) => {
          const form = answer.u8()
          return form === ABSENT ? { computation: answer.u32() } : { value: read<T>(answer, form) as T }
        },
      )
      if (begun.computation === undefined) return begun.value
      return await this.#compute(begun.computation, () => computing(value, compute))
    })
  }

  async #compute<T extends JsonValue | Uint8Array>(computation: number, compute: () => Promise<T>): Promise<T> {
    try {
      const value = await compute()
      const writeValue = valueWriter(value, FORMS, wholeJsonText)
      const write = (message: Message) => writeValue(message.u32(computation))
      await this.#submit(Operation.cacheComputed, write, () => undefined)
      return value
    } catch (error) {
      await this.#giveUp(computation)
      throw error
    }
  }

  /** Lets whoever waits try. They would wait for ever if this were lost, so a failure of it is tried again. */
  async #giveUp(computation: number): Promise<void> {
    const write = (message: Message) => message.u32(computation)
    const attempt = () => this.#submit(Operation.cacheGiveUp, write, () => undefined)
    await attempt()
      .catch(attempt)
      .catch(() => {})
  }

  #submit<T>(operation: Operation, write: (message: Message) => void, decode: (answer: Answer) => T): Promise<T> {
    return this.#bridge.submit(operation, this.#handle, write, decode)
  }
}

function read<T>(answer: Answer, form: number): T | undefined {
  if (form === ABSENT) return undefined
  return (form === FORMS.json ? answer.json() : answer.rest()) as T
}
