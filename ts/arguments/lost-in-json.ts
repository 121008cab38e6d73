import * as types from 'node:util/types'
import { InvalidInputError } from '../errors/index.ts'

/** A value that JSON would lose, and its path, innermost key first. */
interface Loss {
  readonly what: string
  readonly advice: string
  readonly path: (string | number)[]
}

/**
 * Refuses a value of which JSON would keep nothing, at any depth: an Error, a Map, a stream, a promise, a class instance without
 * fields, a function. `JSON.stringify` makes `{}` of them, or leaves them out, without a word. What has a `toJSON`, such as a
 * Date, says itself what is to be kept.
 *
 * @param value one that `JSON.stringify` can write: it has no cycle
 * @throws InvalidInputError that says what to pass in its place
 */
export function refuseLost(value: unknown): void {
  let loss: Loss | undefined
  try {
    loss = lossIn(value)
  } catch (cause) {
    throw new InvalidInputError('The value cannot be read: a getter of it fails, or it is nested too deeply.', {
      cause,
    })
  }
  if (loss === undefined) return
  const { what, advice, path } = loss
  const place = path.length === 0 ? `The value is ${what}` : `The value holds ${what} at /${path.reverse().join('/')}`
  throw new InvalidInputError(`${place}, of which JSON keeps nothing. ${advice}`)
}

function lossIn(value: unknown): Loss | undefined {
  if (typeof value === 'function') return lost('a function', 'Pass what it returns, or leave it out.')
  if (typeof value === 'symbol') return lost('a symbol', 'Pass a string.')
  if (typeof value !== 'object' || value === null) return undefined
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at += 1) {
      const loss = isPlain(value[at]) ? undefined : within(lossIn(value[at]), at)
      if (loss !== undefined) return loss
    }
    return undefined
  }
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return undefined
  const prototype: unknown = Object.getPrototypeOf(value)
  // That of another realm has no prototype either.
  const isRecord = prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null
  const loss = isRecord ? undefined : lossOf(value)
  if (loss !== undefined) return loss
  const members = value as Record<string, unknown>
  for (const key of Object.keys(members)) {
    const member = members[key]
    const inner = isPlain(member) ? undefined : within(lossIn(member), key)
    if (inner !== undefined) return inner
  }
  return undefined
}

/** Whether nothing of it can be lost. */
function isPlain(value: unknown): boolean {
  const type = typeof value
  return type === 'string' || type === 'number' || type === 'boolean' || type === 'undefined' || value === null
}

/** Returns the loss of an object that is neither an array nor a plain object. */
function lossOf(value: object): Loss | undefined {
  if (types.isNativeError(value) || value instanceof Error) {
    return lost('an Error', 'Throw it, or pass { error: error.message }.')
  }
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) {
    return lost(
      'binary data',
      'Return bytes alone, as a Uint8Array, or keep them with references.put and pass the reference.',
    )
  }
  if (types.isMap(value)) return lost('a Map', 'Pass Object.fromEntries(map), or [...map].')
  if (types.isSet(value)) return lost('a Set', 'Pass [...set].')
  if (types.isPromise(value)) return lost('a promise', 'Await it.')
  if (types.isBoxedPrimitive(value) && !types.isSymbolObject(value)) return undefined
  const name = nameOf(value)
  if (value instanceof Response || value instanceof Request || value instanceof Blob) {
    return lost(name, bodyAdvice(value))
  }
  const {
    [Symbol.iterator]: iterator,
    [Symbol.asyncIterator]: asyncIterator,
    pipe,
  } = value as Record<PropertyKey, unknown>
  if ([iterator, asyncIterator, pipe].some((method) => typeof method === 'function')) {
    return lost(`${name}, which is read piece by piece`, 'Collect it first, and pass what it gives.')
  }
  if (Object.keys(value).length > 0) return undefined
  return lost(`${name} without fields of its own`, 'Pass a plain object of what is to be kept, or give it a toJSON.')
}

/** Returns how to read these: their bodies are read once, asynchronously. */
function bodyAdvice(value: Response | Request | Blob): string {
  if (value instanceof Blob) return 'Pass await blob.text(), or its bytes: new Uint8Array(await blob.arrayBuffer()).'
  return `Pass await ${value instanceof Response ? 'response' : 'request'}.json() or .text().`
}

function nameOf(value: object): string {
  const { constructor: made } = value as { constructor?: unknown }
  const name: unknown = typeof made === 'function' ? made.name : undefined
  return typeof name === 'string' && /^\w{1,64}$/.test(name) ? `an instance of ${name}` : 'an object of a class'
}

function lost(what: string, advice: string): Loss {
  return { what, advice, path: [] }
}

function within(loss: Loss | undefined, key: string | number): Loss | undefined {
  loss?.path.push(key)
  return loss
}
