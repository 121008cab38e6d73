import { isPlainObject } from '../checks/plain-json.ts'
import type { StandardSchema, ValidationResult } from './schema.ts'

// A library that cannot say what a value must be in JSON Schema should refuse to make one. Some say that anything goes:
// then a tool is taken, its model may write what it likes, and every call fails.

/** JSON of every kind. */
const samples: readonly unknown[] = [null, true, 1, 'x', [], {}]
/** Keywords that say nothing about what is valid. */
const words = ['title', 'description', 'default', 'examples', 'deprecated', '$comment', 'readOnly', 'writeOnly']
/** Definitions that were reported. Bounded: a host may create tools at any time. */
const warned = new Set<string>()
const mostWarned = 1000
/** The deepest level of properties that is checked. */
const mostLevels = 8

/** Path of a value within another: names of properties, and 0 for an element of a list. */
type Path = readonly (string | 0)[]

/**
 * Warns, once for each definition, of properties whose JSON Schema takes anything while the Standard Schema takes no JSON.
 *
 * @param of whose schema it is: `the tool "search"`
 */
export function warnOfAnything(standard: StandardSchema, json: unknown, of: string): void {
  if (warned.has(of) || warned.size >= mostWarned) return
  const wrong = openPlaces(json, []).filter((path) => path.length > 0 && refusesAll(standard, path))
  if (wrong.length === 0) return
  warned.add(of)
  const names = wrong.map((path) => JSON.stringify(path.map((key) => (key === 0 ? '[]' : key)).join('.')))
  const message =
    `The JSON Schema that ${standard['~standard'].vendor} gives for ${of} takes anything at ${names.join(', ')}, but the ` +
    'schema itself takes no JSON there: every call would fail. Describe what travels as JSON, for example a date as a ' +
    'text that is parsed ("string.date.parse" in arktype, z.iso.datetime() with a transform in zod).'
  process.emitWarning(message, { code: 'BAILIWICK_SCHEMA_TAKES_ANYTHING' })
}

/** The places of a schema where anything goes. */
function openPlaces(schema: unknown, path: Path): Path[] {
  if (schema === true || (isPlainObject(schema) && Object.keys(schema).every((key) => words.includes(key))))
    return [path]
  if (!isPlainObject(schema) || path.length === mostLevels) return []
  const { properties, items } = schema
  const below = isPlainObject(properties) ? Object.entries(properties) : []
  return [
    ...below.flatMap(([name, value]) => openPlaces(value, [...path, name])),
    ...(items === undefined ? [] : openPlaces(items, [...path, 0])),
  ]
}

/** Whether JSON of every kind is refused there. What throws, or answers later, has not said so. */
function refusesAll(standard: StandardSchema, path: Path): boolean {
  return samples.every((sample) => {
    try {
      const value = path.reduceRight<unknown>((inner, key) => (key === 0 ? [inner] : { [key]: inner }), sample)
      const outcome = standard['~standard'].validate(value)
      if (outcome instanceof Promise) {
        outcome.catch(() => {})
        return false
      }
      return refusedAt(outcome, path)
    } catch {
      return false
    }
  })
}

function refusedAt({ issues = [] }: ValidationResult<unknown>, path: Path): boolean {
  return issues.some((issue) => {
    const keys = (issue.path ?? []).map((key) => (typeof key === 'object' ? key.key : key))
    return keys.length === path.length && path.every((key, at) => String(keys[at]) === String(key))
  })
}
