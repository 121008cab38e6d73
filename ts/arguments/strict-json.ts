import { assertSize, assertText, jsonText } from './checks.ts'

/**
 * JSON text of an object in which no absent value passes for a default: a member that is `undefined`, a function or a symbol becomes
 * `null`, which whoever reads it refuses. So a rule whose `to` could not be looked up does not let everybody decide. Each member is
 * read once.
 *
 * @param names members that count even if a prototype has them, such as those of a class
 * @throws InvalidInputError for what JSON cannot hold
 */
export function strictJson(value: unknown, name: string, names: readonly string[]): string {
  const text = jsonText(isObject(value) ? membersOf(value, names) : (value ?? null), name, kept)
  assertText(text, name)
  assertSize(text.length)
  return text
}

function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function membersOf(value: { readonly [key: string]: unknown }, names: readonly string[]): Record<string, unknown> {
  const members: Record<string, unknown> = Object.create(null)
  for (const key of new Set([...Object.keys(value), ...names])) {
    // A function as well: a `toJSON` would say something else than what is checked.
    if (key in value) members[key] = kept(key, value[key])
  }
  return members
}

function kept(_: string, member: unknown): unknown {
  return member === undefined || typeof member === 'function' || typeof member === 'symbol' ? null : member
}
