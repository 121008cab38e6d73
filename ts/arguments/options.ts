import { didYouMean } from '../common/nearest.ts'
import { kindOf, wordOf } from '../common/shown-values.ts'
import { InvalidInputError } from '../errors/index.ts'
import { assertNumber, assertObject, assertText } from './checks.ts'
import { assertSignal } from './signals.ts'

/** Checks one option that is present. Throws InvalidInputError, which names the option, what it must be and what it is. */
type Check = (value: unknown, name: string) => void

/** A check for every option that a call takes: the type checker asks for a missing one. */
export type Checks<Options> = { readonly [Name in keyof Required<Options>]: Check }

/** The options that a call was given. Absent ones are `undefined`. */
export type Given<Options> = { readonly [Name in keyof Options]: Options[Name] | undefined }

/** The checks that options share. */
export const option = {
  number: assertNumber,
  object: assertObject,
  signal: assertSignal,
  text: (value: unknown, name: string) => {
    assertText(value, name)
    if (value === '') throw new InvalidInputError(`${name} must not be empty. Leave it out instead.`)
  },
  flag: (value: unknown, name: string) => assertType('boolean', value, name),
  function: (value: unknown, name: string) => assertType('function', value, name),
  /** For what the caller checks itself. */
  any: () => {},
} as const

/**
 * Reads the options of a call, each once.
 *
 * @param name what the options are called in messages
 * @param prefix what stands before the name of an option in messages: `items[3].`
 * @throws InvalidInputError for what is no object, an unknown option, or an option of the wrong type
 */
export function readOptions<Options extends object>(
  given: Options,
  checks: Checks<Options>,
  name = 'options',
  prefix = '',
): Given<Options> {
  assertObject(given, name)
  for (const key of Object.keys(given)) if (!Object.hasOwn(checks, key)) throw unknownOption(key, checks, name)
  const read: { -readonly [Name in keyof Options]?: Options[Name] } = {}
  for (const key in checks) {
    const value = given[key]
    if (value === undefined) continue
    checks[key](value, prefix + key)
    read[key] = value
  }
  return read as Given<Options>
}

function unknownOption(key: string, checks: object, name: string): InvalidInputError {
  const known = Object.keys(checks)
  const meant = didYouMean(key, known)
  return new InvalidInputError(`${name}: there is no option ${wordOf(key)}. ${meant}Known: ${known.join(', ')}.`)
}

function assertType(type: 'boolean' | 'function', value: unknown, name: string): void {
  if (typeof value !== type) throw new InvalidInputError(`${name} must be a ${type}, not ${kindOf(value)}.`)
}
