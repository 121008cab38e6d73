import { isPlainObject } from '../../../spec/checks/plain-json.ts'
import type { JsonSchema, JsonValue } from '../../../types/json.ts'

/** Keywords that hold schemas: one, several, or several by name. */
const single = ['items', 'additionalProperties']
const lists = ['prefixItems', 'anyOf', 'oneOf']
const named = ['properties', '$defs', 'definitions']

/** A schema is the same in every request of an agent. */
const known = new WeakMap<object, JsonSchema>()

/**
 * The schema of an output as providers take it that hold a model to it: objects that say nothing about further properties, or
 * allow any, are closed, as such providers refuse them otherwise. What stands in an `allOf` is not closed: there an object
 * describes a part of a value, and nothing would fit two that are closed.
 */
export function closedSchema(schema: JsonSchema): JsonSchema {
  const before = known.get(schema)
  if (before !== undefined) return before
  const closed = close(schema as JsonValue) as JsonSchema
  known.set(schema, closed)
  return closed
}

function close(schema: JsonValue): JsonValue {
  if (Array.isArray(schema)) return schema.map((member) => close(member))
  if (!isPlainObject(schema)) return schema
  const entries = Object.entries(schema).map(([keyword, value]): [string, JsonValue] => {
    if (single.includes(keyword) || (lists.includes(keyword) && Array.isArray(value))) return [keyword, close(value)]
    if (!named.includes(keyword) || !isPlainObject(value)) return [keyword, value]
    return [
      keyword,
      Object.fromEntries(Object.entries(value).map(([name, member]) => [name, close(member as JsonValue)])),
    ]
  })
  const closed = Object.fromEntries(entries)
  const { type, additionalProperties: further } = closed
  const isObject = type === 'object' || (Array.isArray(type) && type.includes('object'))
  return isObject && (further === undefined || further === true) ? { ...closed, additionalProperties: false } : closed
}

/** The system text that asks for an output, for a provider that does not take its schema. */
export function systemWithSchema(system: string, schema: JsonSchema): string {
  const asked = `# Output\nAnswer with JSON alone, without any other text, that fits this JSON Schema:\n${JSON.stringify(schema)}`
  return system === '' ? asked : `${system}\n\n${asked}`
}
