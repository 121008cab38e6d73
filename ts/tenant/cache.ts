import { assertText, wholeJsonText } from '../arguments/checks.ts'
import { type Checks, option, readOptions } from '../arguments/options.ts'
import { kindOf } from '../common/shown-values.ts'
import { InvalidInputError } from '../errors/index.ts'
import type { Answer, Message } from '../native/message.ts'
import { Operation } from '../native/operations.ts'
import { flag, nothing, type Session, type Write } from '../session/session.ts'
import { valueWriter } from '../session/writers.ts'
import type { Cache } from '../types/cache.ts'
import type { JsonValue } from '../types/json.ts'
import { awaiting, computing, wouldWaitForItself } from './computations.ts'

type CacheOptions = NonNullable<Parameters<Cache['set']>[2]>

const checks: Checks<CacheOptions> = { ttlMs: option.number }

const ABSENT = 0
const FORMS = { json: 1, bytes: 2 } as const

export class TenantCache implements Cache {
  readonly #session: Session
  /** Owner of the cache, the same for all handles of a tenant. */
  readonly #owner: string

  constructor(session: Session, owner: string) {
    this.#session = session
    this.#owner = owner
  }

  get<T = JsonValue | Uint8Array<ArrayBuffer>>(key: string): Promise<T | undefined> {
    return this.#session.call(
      Operation.cacheGet,
      () => keyWriter(key),
      (answer) => read<T>(answer, answer.u8()),
    )
  }

  set(key: string, value: JsonValue | Uint8Array, options: CacheOptions = {}): Promise<void> {
    const prepare = () => {
      assertText(key, 'key')
      const { ttlMs } = readOptions(options, checks)
      const writeValue = valueWriter(value, FORMS, wholeJsonText)
      return (message: Message) => writeValue(message.text(key).optionalNumber(ttlMs))
    }
    return this.#session.call(Operation.cacheSet, prepare, nothing)
  }

  delete(key: string): Promise<boolean> {
    return this.#session.call(Operation.cacheDelete, () => keyWriter(key), flag)
  }

  async getOrCompute<T extends JsonValue | Uint8Array>(
    key: string,
    options: CacheOptions,
    compute: () => T | Promise<T>,
  ): Promise<T> {
    this.#session.assertOpen()
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
        'This value is being computed by its own caller, or waits for what that caller computes: they would wait for ever. ' +
          'Compute it from other keys, or read it with get.',
      )
    }
    return await awaiting(value, async () => {
      const begun = await this.#session.submit(
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
      await this.#session.submit(Operation.cacheComputed, write, nothing)
      return value
    } catch (error) {
      await this.#giveUp(computation)
      throw error
    }
  }

  /** Lets the next waiter compute. Waiters would wait for ever without it, so a failed attempt is repeated once. */
  async #giveUp(computation: number): Promise<void> {
    const write = (message: Message) => message.u32(computation)
    const attempt = () => this.#session.submit(Operation.cacheGiveUp, write, nothing)
    await attempt()
      .catch(attempt)
      .catch(() => {})
  }
}

function keyWriter(key: string): Write {
  assertText(key, 'key')
  return (message) => message.text(key)
}

function read<T>(answer: Answer, form: number): T | undefined {
  if (form === ABSENT) return undefined
  return (form === FORMS.json ? answer.json() : answer.rest()) as T
}
