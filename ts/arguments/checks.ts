import * as types from 'node:util/types'
import { kindOf } from '../common/shown-values.ts'
import { InvalidInputError } from '../errors/index.ts'
import { refuseLost } from './lost-in-json.ts'

/** The size of the largest value. */
const MOST_BYTES = 64 << 20

/**
 * Refuses texts that JavaScript would change in silence on their way: a lone surrogate becomes U+FFFD, which could make
 * two different texts one.
 *
 * @throws InvalidInputError
 */
export function assertText(value: unknown, name: string): asserts value is string {
  if (typeof value !== 'string') throw new InvalidInputError(`${name} must be a string, not ${kindOf(value)}.`)
  if (!value.isWellFormed()) throw new InvalidInputError(`${name} holds a lone surrogate, which is not Unicode text.`)
}

/** @throws InvalidInputError unless it is a number */
export function assertNumber(value: unknown, name: string): asserts value is number {
  if (typeof value !== 'number' || Number.isNaN(value)) {
    throw new InvalidInputError(`${name} must be a number, not ${kindOf(value)}.`)
  }
}

/** @throws InvalidInputError unless it is an object */
export function assertObject(value: unknown, name: string): asserts value is object {
  if (typeof value !== 'object' || value === null) {
    throw new InvalidInputError(`${name} must be an object, not ${kindOf(value)}.`)
  }
}

/**
 * Refuses what the core would refuse too, before it is copied.
 *
 * @throws InvalidInputError
 */
export function assertSize(bytes: number): void {
  if (bytes > MOST_BYTES) {
    throw new InvalidInputError(
      `The value has ${bytes} bytes; at most ${MOST_BYTES} (64 MiB) are allowed. Keep it elsewhere, or in parts.`,
    )
  }
}

/** Whether it is a Uint8Array, of whichever realm: test runners and `node:vm` have classes of their own. */
export function isBytes(value: unknown): value is Uint8Array {
  return types.isUint8Array(value)
}

/**
 * JSON text of a value, by the rules of `JSON.stringify`.
 *
 * @throws InvalidInputError for what JSON cannot hold: undefined, functions, symbols, BigInt, cycles
 */
export function jsonText(
  value: unknown,
  name = 'The value',
  replacer?: (key: string, member: unknown) => unknown,
): string {
  let text: string | undefined
  try {
    text = JSON.stringify(value, replacer)
  } catch (cause) {
    const why = 'it holds a BigInt or a cycle, is nested too deeply, or its toJSON fails'
    throw new InvalidInputError(`${name} cannot be written as JSON: ${why}.`, { cause })
  }
  if (text === undefined) {
    throw new InvalidInputError(`${name} cannot be written as JSON: it is undefined, a function or a symbol.`)
  }
  return text
}

/**
 * The same for a value of which all must be there afterwards.
 *
 * @throws InvalidInputError also for what JSON would make `{}` or nothing of, wherever it is: an Error, a Map, a function
 */
export function wholeJsonText(value: unknown, name?: string): string {
  if (typeof value === 'function' || typeof value === 'symbol') refuseLost(value)
  const text = jsonText(value, name)
  refuseLost(value)
  return text
}

/** @throws InvalidInputError for binary data in another form than Uint8Array, which JSON would mangle */
export function refuseOtherBinary(value: unknown): void {
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) {
    throw new InvalidInputError('Pass bytes as a Uint8Array, for instance new Uint8Array(arrayBuffer).')
  }
}
