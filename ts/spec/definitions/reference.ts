import type { JsonSchema } from '../../types/json.ts'
import { Issues } from '../checks/issues.ts'
import { referenceShape } from '../checks/shapes.ts'
import { type Schema, toJsonSchema } from '../schema/schema.ts'
import { freezeDefinition, propertiesOf, standardSchemas } from './definition.ts'

/**
 * Preview of a reference type's values for prompts: `true` (default) by their content, `false` none
 * (the glimpse is `null`, so nothing of the content reaches a model), `{ rows }` with that many of the first rows, 0–100.
 */
export type GlimpseOption = boolean | { readonly rows: number }

/** A type of references: what its values are and how long they are kept. Frozen JSON. */
export interface ReferenceType<N extends string = string> {
  readonly name: N
  readonly description?: string
  /** The JSON Schema that JSON values must fit. */
  readonly schema?: JsonSchema
  readonly mediaType?: string
  /** Lifetime of references of this type, in milliseconds; overrides the spec's retention. */
  readonly ttlMs?: number
  readonly glimpse?: GlimpseOption
}

/** Argument of `defineReference`. */
export interface ReferenceDefinition<N extends string = string> {
  /** `^[a-z][a-z0-9_-]{0,63}$` */
  readonly name: N
  readonly description?: string
  /** A Standard Schema that can give its JSON Schema, or a JSON Schema object. */
  readonly schema?: Schema
  /** For example `text/csv`. Default: by the value (text, bytes or JSON). */
  readonly mediaType?: string
  /** Lifetime of references of this type: a positive number of milliseconds. */
  readonly ttlMs?: number
  readonly glimpse?: GlimpseOption
}

/**
 * A type of references.
 *
 * @throws SpecError with every problem of the definition
 * @example
 * ```ts
 * const table = defineReference({ name: 'table', description: 'Rows of a query', glimpse: { rows: 5 } })
 * ```
 */
export function defineReference<const N extends string>(definition: ReferenceDefinition<N>): ReferenceType<N> {
  const issues = new Issues()
  const given = propertiesOf(definition, issues)
  const draft = { ...given, schema: toJsonSchema(given['schema'], 'schema', issues) }
  const behind = { schemas: standardSchemas(given, ['schema']) }
  return freezeDefinition(referenceShape, draft, { kind: 'reference type', ...behind }, issues) as ReferenceType<N>
}
