import type * as z from 'zod/mini'
import type { Issues } from '../checks/issues.ts'
import { messages } from '../checks/messages.ts'
import { copyJson, deepFreeze, isPlainObject } from '../checks/plain-json.ts'
import { readShape } from '../checks/shape.ts'
import { asStandardSchema, type StandardSchema } from '../schema/schema.ts'
import { warnOfAnything } from '../schema/schema-anything.ts'
import { checkJsonSchema } from '../schema/schema-check.ts'

/** Key of the parts of a definition that JSON cannot hold. Shared between copies of the package, invisible to `JSON`. */
const behind: unique symbol = Symbol.for('bailiwick.definition')

/** Parts of a definition that JSON cannot hold: held definitions, and schemas that validate more than JSON Schema can. */
export interface Behind {
  readonly agents: readonly unknown[]
  readonly tools: readonly unknown[]
  readonly references: readonly unknown[]
  readonly plans: readonly unknown[]
  /** By the name of the property that they were given for: `input`, `output`, `schema`, `details`. */
  readonly schemas: { readonly [property: string]: StandardSchema }
}

const nothing: Behind = Object.freeze({ agents: [], tools: [], references: [], plans: [], schemas: Object.freeze({}) })

/** Returns those parts; they are empty if the definition came from a dump or was written by hand. */
export function behindOf(definition: unknown): Behind {
  if (typeof definition !== 'object' || definition === null) return nothing
  return (definition as { [behind]?: Behind })[behind] ?? nothing
}

/** Whether a `define…` helper made this very object. */
export function isDefinition(value: unknown): boolean {
  return behindOf(value) !== nothing
}

/** The properties of definitions that hold a JSON Schema. */
const schemaProperties = ['input', 'output', 'schema', 'details']

/** Held definitions, and the kind of the definition for messages about its schemas. */
interface Held extends Partial<Behind> {
  readonly kind?: 'tool' | 'agent' | 'reference type' | 'plan type'
}

/**
 * Checks one definition and gives it frozen, as the JSON that the dump will show.
 *
 * @param draft what to check; names stand for held definitions already
 * @param check what the shape cannot say
 * @throws SpecError with every problem
 */
export function freezeDefinition(
  shape: () => z.ZodMiniType,
  draft: object,
  { kind, ...held }: Held,
  issues: Issues,
  check?: (value: unknown, path: string, issues: Issues) => void,
): object {
  const copy = copyJson(draft, '', issues, 2)
  const definition = readShape(shape, copy, '', issues)
  check?.(copy, '', issues)
  if (kind !== undefined && isPlainObject(copy)) checkSchemas(copy, kind, held.schemas ?? {}, issues)
  issues.throwIfAny()
  Object.defineProperty(definition, behind, { value: Object.freeze({ ...nothing, ...held }) })
  return deepFreeze(definition as object)
}

/** Checks the JSON Schemas of a definition, and throws if there is any problem by then; else warns of what is odd. */
function checkSchemas(copy: object, kind: string, schemas: Behind['schemas'], issues: Issues): void {
  const parts = copy as Record<string, unknown>
  const of = `the ${kind} ${JSON.stringify(parts['name'] ?? '')}`
  for (const property of schemaProperties) {
    const schema = parts[property]
    // A value that is no JSON is absent from the copy and already reported.
    if (isPlainObject(schema) && !issues.isWithin(property)) checkJsonSchema(schema, property, of, issues)
  }
  issues.throwIfAny()
  for (const [property, standard] of Object.entries(schemas)) warnOfAnything(standard, parts[property], of)
}

/** The properties of what a `define…` helper was given. */
export function propertiesOf(definition: unknown, issues: Issues): Record<string, unknown> {
  if (isPlainObject(definition)) return definition
  issues.add('', messages.object)
  issues.throwIfAny()
  return {}
}

/** The name that stands for a held definition in the dump. What is neither is left for the shape to refuse. */
export function nameOf(definition: unknown): unknown {
  return typeof definition === 'object' && definition !== null && 'name' in definition ? definition.name : definition
}

/** The definitions among names and definitions. */
export function heldIn(values: readonly unknown[]): readonly object[] {
  return values.filter((value) => typeof value === 'object' && value !== null)
}

/** The Standard Schemas among the properties of a definition. */
export function standardSchemas(definition: Record<string, unknown>, properties: readonly string[]): Behind['schemas'] {
  const found: Record<string, StandardSchema> = {}
  for (const property of properties) {
    const schema = asStandardSchema(definition[property])
    if (schema !== undefined) found[property] = schema
  }
  return Object.freeze(found)
}
