import { isPlainObject } from '../spec/checks/plain-json.ts'
import type { JsonObject, JsonValue } from '../types/json.ts'

/**
 * The arguments of a call as an object, because providers refuse a conversation in which they are anything else. A model may
 * have written none, an array, a text that was cut off: an object stays, a text that holds an object becomes it, nothing
 * becomes `{}`, and everything else becomes `{ input: … }`. The journal keeps what the model wrote.
 */
export function sendableInput(input: JsonValue | undefined): JsonObject {
  if (isPlainObject(input)) return input as JsonObject
  if (input === undefined || input === null || input === '') return {}
  if (typeof input === 'string') {
    const parsed = parse(input)
    if (isPlainObject(parsed)) return parsed as JsonObject
  }
  return { input }
}

function parse(text: string): unknown {
  // Most texts that are no object are told by their first character, without an error.
  if (!/^\s*\{/.test(text)) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
