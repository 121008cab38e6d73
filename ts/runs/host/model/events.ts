import type { TokenUsage } from '../../../types/tenant.ts'
import { CallFailure } from '../failures.ts'

/** The largest field of an event, in UTF-16 units: what the core takes of a whole answer, as ANSWER_BYTES there. */
const MOST_UNITS = 4 << 20
/** The deepest nesting of a value that a model hands back. */
const MOST_LEVELS = 100
/** Characters of a wrong word that a message repeats. */
const WORD_UNITS = 100
const counts = ['inputTokens', 'outputTokens', 'cacheReadTokens', 'cacheWriteTokens', 'reasoningTokens'] as const

/** An event as other code sees it: plain, with each field read once. */
export interface Heard {
  readonly type?: unknown
  readonly [field: string]: unknown
}

/** The events of one answer, as the core reads them. */
export class ModelEvents {
  #number = 0
  #notes: string[] = []
  #place = ''
  /** The metadata that was sent last, and what for: what is unchanged is not sent again. */
  #last: { readonly key: string; readonly text: string; copy?: unknown } = { key: '', text: '' }

  /**
   * One event: its JSON for the core, and what others are told of it. The object is the host's: each field is read once, and
   * nothing else of it. What a model writes and what a provider hands back is mended where JSON cannot hold it; what the
   * core refuses, it says.
   *
   * @throws CallFailure for what cannot be told to the core
   */
  take(event: unknown): { readonly text: string; readonly heard: Heard } {
    this.#number += 1
    this.#notes = []
    this.#place = `event ${this.#number}`
    if (typeof event !== 'object' || event === null) throw this.#wrong(` must be an object, not ${foundIn(event)}`)
    try {
      return this.#read(event as Heard)
    } catch (error) {
      if (error instanceof CallFailure) throw error
      throw this.#wrong(` cannot be read: ${textOf(error)}`)
    }
  }

  #read(event: Heard): { readonly text: string; readonly heard: Heard } {
    const { type } = event
    if (typeof type === 'string') this.#place += ` (${type.slice(0, WORD_UNITS).toWellFormed()})`
    switch (type) {
      case 'text.delta':
      case 'reasoning.delta': {
        const heard = { type, id: this.#text(event, 'id'), delta: this.#text(event, 'delta') }
        return this.#with(heard, 'metadata', this.#metadata(`${type} ${String(heard.id)}`, event))
      }
      case 'tool.call': {
        const [callId, tool, input] = ['callId', 'tool', 'input'].map((name) => this.#written(event, name))
        return this.#with({ type, callId, tool, input }, 'metadata', this.#metadata('', event))
      }
      case 'opaque': {
        const { data } = event
        const text = data === undefined ? undefined : (this.#json(data, 'data') ?? 'null')
        return this.#with({ type, provider: this.#text(event, 'provider') }, 'data', text)
      }
      case 'warning':
        return this.#with({ type, message: this.#text(event, 'message') })
      case 'usage':
        return this.#with({ type, usage: usageOf(event['usage']) })
      case 'finish': {
        const reason = this.#text(event, 'reason')
        const word = typeof reason === 'string' ? reason.slice(0, WORD_UNITS) : reason
        return this.#with({ type, reason: word, usage: usageOf(event['usage']) })
      }
      default:
        return this.#with({ type: typeof type === 'string' ? type.slice(0, WORD_UNITS).toWellFormed() : plain(type) })
    }
  }

  /** The event with a field that is JSON already, and what was mended in it. */
  #with(heard: Heard, name = '', json?: string): { readonly text: string; readonly heard: Heard } {
    const mended = this.#notes.length === 0 ? undefined : this.#notes.join('; ')
    const text = JSON.stringify(mended === undefined ? heard : { ...heard, mended })
    return { text: json === undefined ? text : `${text.slice(0, -1)},"${name}":${json}}`, heard }
  }

  /** A text that the model's code gives. What is none is left for the core to refuse. */
  #text(event: Heard, name: string): unknown {
    const value = event[name]
    if (typeof value === 'string') return this.#bounded(value, name).toWellFormed()
    if (typeof value === 'bigint' || typeof value === 'function' || typeof value === 'symbol') {
      throw this.#wrong(`: ${name} must be a string, not ${foundIn(value)}`)
    }
    return plain(value)
  }

  /** Returns a field that the model wrote, as text. */
  #written(event: Heard, name: string): string | undefined {
    const value = event[name]
    if (typeof value === 'string') return this.#bounded(value, name).toWellFormed()
    if (value === undefined || value === null) return undefined
    const text = stringified(value)
    const taken = text === undefined ? 'it is taken as empty' : 'it is taken as its JSON'
    this.#notes.push(`${name} must be a string, not ${foundIn(value)}; ${taken}`)
    return this.#bounded(text ?? '', name).toWellFormed()
  }

  /** Metadata, unless it is what was sent last for the same text. */
  #metadata(key: string, event: Heard): string | undefined {
    let value: unknown
    try {
      value = event['metadata']
    } catch {
      this.#notes.push('its metadata cannot be read and was left out')
    }
    if (value === undefined || value === null) return undefined
    const isSameText = key !== '' && key === this.#last.key
    // Metadata that comes with each delta is compared with a copy: writing it each time costs several times as much.
    if (isSameText && 'copy' in this.#last && equals(value, this.#last.copy)) return undefined
    const text = stringified(value)
    if (isSameText && text === this.#last.text) {
      this.#last.copy = JSON.parse(text)
      return undefined
    }
    const kept = this.#json(value, 'metadata', text)
    if (key !== '' && text !== undefined) this.#last = { key, text }
    return kept
  }

  /** A value that a provider hands back as JSON that the core takes. */
  #json(value: unknown, name: string, text = stringified(value)): string | undefined {
    const leftOut = (why: string) => void this.#notes.push(`its ${name} ${why} and was left out`)
    if (text === undefined) return leftOut('cannot be written as JSON')
    this.#bounded(text, name)
    // Each level has two characters at least.
    if (text.length > 2 * MOST_LEVELS && levelsOf(text) > MOST_LEVELS)
      return leftOut(`is nested deeper than ${MOST_LEVELS}`)
    // JSON.stringify escapes half characters alone so.
    if (text.includes('\\ud') || text.includes('__proto__')) return JSON.stringify(mended(JSON.parse(text)))
    return text
  }

  #bounded(text: string, name: string): string {
    if (text.length <= MOST_UNITS) return text
    throw new CallFailure(
      'MODEL_FAILED',
      `The model's answer is too large: ${this.#place}: ${name} has ${text.length} UTF-16 units, and a whole answer ` +
        `has ${MOST_UNITS} bytes (4 MiB) at most. Ask it for less at once.`,
    )
  }

  #wrong(what: string): CallFailure {
    return new CallFailure('MODEL_FAILED', `The model's answer is wrong: ${this.#place}${what}.`)
  }
}

/** Returns token counts in JSON form; the core accepts whole numbers only. */
function usageOf(told: unknown): unknown {
  if (typeof told !== 'object' || told === null || Array.isArray(told)) return plain(told)
  const usage: { -readonly [K in keyof TokenUsage]?: unknown } = {}
  for (const name of counts) {
    try {
      const count = (told as { readonly [name: string]: unknown })[name]
      if (count !== undefined) usage[name] = typeof count === 'bigint' ? Number(count) : plain(count)
    } catch {
      // An unreadable count is ignored.
    }
  }
  return usage
}

/** A value of the same type, small and plain. */
function plain(value: unknown): unknown {
  switch (typeof value) {
    case 'object':
      return value === null ? null : Array.isArray(value) ? [] : {}
    case 'string':
      return value.slice(0, WORD_UNITS).toWellFormed()
    case 'number':
    case 'boolean':
      return value
    default:
      return undefined
  }
}

/** Returns `undefined` for a value without JSON, also if its conversion throws. */
function stringified(value: unknown): string | undefined {
  try {
    const text: unknown = JSON.stringify(value)
    return typeof text === 'string' ? text : undefined
  } catch {
    return typeof value === 'bigint' ? String(value) : undefined
  }
}

/** Whether a value is surely written as this one is, which came from JSON. */
function equals(value: unknown, copy: unknown): boolean {
  if (value === copy) return true
  if (typeof value !== 'object' || value === null || typeof copy !== 'object' || copy === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.getPrototypeOf(copy)) return false
  const keys = Object.keys(copy)
  if (Object.keys(value).length !== keys.length) return false
  if (Array.isArray(copy) && (value as readonly unknown[]).length !== copy.length) return false
  for (const key of keys) {
    if (!Object.hasOwn(value, key)) return false
    const member = (value as { readonly [key: string]: unknown })[key]
    if (!equals(member, (copy as { readonly [key: string]: unknown })[key])) return false
  }
  return true
}

/** Returns the nesting depth of a JSON text. */
function levelsOf(text: string): number {
  let [level, most, inString] = [0, 0, false]
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at)
    if (inString) {
      if (unit === 0x5c) at += 1
      else if (unit === 0x22) inString = false
    } else if (unit === 0x22) inString = true
    else if (unit === 0x5b || unit === 0x7b) most = Math.max(most, ++level)
    else if (unit === 0x5d || unit === 0x7d) level -= 1
  }
  return most
}

/** With whole characters only, and without the name that no object may have. */
function mended(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed()
  if (Array.isArray(value)) return value.map(mended)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([key]) => key !== '__proto__')
  return Object.fromEntries(entries.map(([key, member]) => [key.toWellFormed(), mended(member)]))
}

/** A value's type with its article. */
export function foundIn(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (value instanceof Promise) return 'a Promise'
  const type = Array.isArray(value) ? 'array' : typeof value
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`
}

function textOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error)
  } catch {
    return 'it throws'
  }
}
