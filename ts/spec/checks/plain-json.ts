import type { JsonValue } from '../../types/json.ts'
import { type Issues, pathTo } from './issues.ts'
import { messages } from './messages.ts'

/** The levels that a dump may have, as the parser in Rust allows. */
const maxDepth = 100

/** State of a copy: the issues found, and the objects that contain the value. */
interface Place {
  readonly issues: Issues
  readonly ancestors: Set<object>
}

/**
 * A fresh copy of `value` that is JSON and nothing else: properties that are `undefined` are left out, `-0` becomes `0`,
 * and everything that `JSON.stringify` would drop, change or refuse is an issue.
 *
 * @param depth how deep in the dump the value will lie, so that what a helper accepts `defineRuntime` accepts too
 */
export function copyJson(value: unknown, path: string, issues: Issues, depth: number): JsonValue {
  return copyAt(value, path, depth, { issues, ancestors: new Set() })
}

function copyAt(value: unknown, path: string, depth: number, place: Place): JsonValue {
  if (value === null || typeof value === 'boolean') return value
  if (typeof value === 'string' && value.isWellFormed()) return value
  if (typeof value === 'number' && Number.isFinite(value)) return value + 0
  if (!Array.isArray(value) && !isPlainObject(value)) return refuse(place, path, messages.notJson)
  if (place.ancestors.has(value)) return refuse(place, path, messages.cyclic)
  if (depth >= maxDepth) return refuse(place, path, messages.deep)
  place.ancestors.add(value)
  const copy = Array.isArray(value) ? copyArray(value, path, depth, place) : copyObject(value, path, depth, place)
  place.ancestors.delete(value)
  return copy
}

function copyArray(value: readonly unknown[], path: string, depth: number, place: Place): JsonValue {
  return Array.from(value, (element, index) => copyAt(element, pathTo(path, index), depth + 1, place))
}

function copyObject(value: object, path: string, depth: number, place: Place): JsonValue {
  const copy: Record<string, JsonValue> = {}
  for (const [key, property] of Object.entries(value)) {
    if (property === undefined) continue
    const propertyPath = pathTo(path, key)
    if (key === '__proto__') place.issues.add(propertyPath, messages.reserved)
    else if (!key.isWellFormed()) place.issues.add(propertyPath, messages.notJson)
    else copy[key] = copyAt(property, propertyPath, depth + 1, place)
  }
  return copy
}

function refuse(place: Place, path: string, message: string): null {
  place.issues.add(path, message)
  return null
}

/** Whether `value` is an object literal, of whichever realm, and not an instance of some class. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** Freezes a value made by `copyJson` and everything in it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const property of Object.values(value)) deepFreeze(property)
  }
  return value
}
