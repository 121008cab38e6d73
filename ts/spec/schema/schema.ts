import type { JsonObject, JsonSchema } from '../../types/json.ts'
import type { Issues } from '../checks/issues.ts'
import { messages } from '../checks/messages.ts'
import { isPlainObject } from '../checks/plain-json.ts'
import { countedAnew, rootInPlace } from './json-schema.ts'

/** Result of a Standard Schema's `validate`. */
export type ValidationResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
      readonly issues: readonly {
        readonly message: string
        readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
      }[]
    }

/**
 * A Standard Schema (https://standardschema.dev), described structurally so that every library and version that
 * follows the standard fits: zod ≥ 4.2, arktype, valibot wrapped by `@valibot/to-json-schema`.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
    // Written as a method so that a schema of something narrower still is a schema of something.
    validate(
      value: unknown,
      // biome-ignore lint/suspicious/noExplicitAny: libraries type these options each in their own way
      options?: any,
    ): ValidationResult<Output> | Promise<ValidationResult<Output>>
    readonly jsonSchema?: {
      input(options: { target: 'draft-2020-12' }): Record<string, unknown>
    }
  }
}

/**
 * A Standard JSON Schema that does not validate, such as one of effect's `toStandardJSONSchemaV1`: it is worth its JSON
 * Schema, and values stay as they are.
 */
export interface StandardJsonSchema<Input = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly types?: { readonly input: Input; readonly output: unknown } | undefined
    readonly validate?: undefined
    readonly jsonSchema: {
      input(options: { target: 'draft-2020-12' }): Record<string, unknown>
    }
  }
}

/** A description of data: a Standard Schema that can give its JSON Schema, or a JSON Schema. */
export type Schema = StandardSchema | StandardJsonSchema | JsonSchema

/** Input type of a schema, before defaults and transforms. A JSON Schema has no type in TypeScript. */
export type SchemaInput<S, Unknown = unknown> =
  S extends StandardSchema<infer Input, infer _Output>
    ? Input
    : S extends StandardJsonSchema<infer Input>
      ? Input
      : Unknown

/** Output type of a schema, after defaults and transforms. A JSON Schema has no type in TypeScript. */
export type SchemaOutput<S, Unknown = unknown> =
  S extends StandardSchema<infer _Input, infer Output>
    ? Output
    : S extends StandardJsonSchema<infer Input>
      ? Input
      : Unknown

/** The arguments of a tool that is described by a JSON Schema. */
export type UntypedArguments = JsonObject

/** The Standard Schema in `schema` that validates, if it is one. Some libraries' schemas are functions. */
export function asStandardSchema(schema: unknown): StandardSchema | undefined {
  const standard = asAnyStandard(schema)
  return typeof standard?.['~standard'].validate === 'function' ? (standard as StandardSchema) : undefined
}

/** One that may do no more than give its JSON Schema. */
function asAnyStandard(schema: unknown): StandardSchema | StandardJsonSchema | undefined {
  const canHold = (typeof schema === 'object' && schema !== null) || typeof schema === 'function'
  return canHold && '~standard' in schema && typeof schema['~standard'] === 'object' && schema['~standard'] !== null
    ? (schema as StandardSchema)
    : undefined
}

/** Requirements on the JSON Schema of a schema. */
interface Wanted {
  /** A root that only refers to something is replaced by what it refers to: see `rootInPlace`. */
  readonly rootInPlace?: boolean
}

/** Libraries that count the names of definitions through the process, and what these look like. */
const countingLibraries: { readonly [vendor: string]: RegExp } = { arktype: /^([A-Za-z]+)\d+$/ }

/** The JSON Schema of what may be given to `schema`; an issue if there is none. It is not copied yet. */
export function toJsonSchema(schema: unknown, path: string, issues: Issues, wanted: Wanted = {}): unknown {
  if (schema === undefined) return undefined
  const json = anyJsonSchema(schema, path, issues)
  return wanted.rootInPlace && isPlainObject(json) ? rootInPlace(json) : json
}

function anyJsonSchema(schema: unknown, path: string, issues: Issues): unknown {
  const standard = asAnyStandard(schema)
  if (standard === undefined) {
    if (isPlainObject(schema)) return schema
    issues.add(path, messages.schema)
    return null
  }
  const { vendor, jsonSchema } = standard['~standard']
  try {
    const converted = jsonSchema?.input({ target: 'draft-2020-12' })
    const counted = Object.hasOwn(countingLibraries, vendor) ? countingLibraries[vendor] : undefined
    if (isPlainObject(converted)) return counted === undefined ? converted : countedAnew(converted, counted)
    issues.add(path, withoutJsonSchema(vendor))
  } catch (error) {
    issues.add(path, unconvertible(error))
  }
  return null
}

function withoutJsonSchema(vendor: unknown): string {
  return (
    `This schema (of ${String(vendor)}) cannot give its JSON Schema. Use zod 4.2 or newer (not zod/mini), arktype, ` +
    'valibot wrapped by @valibot/to-json-schema, or write a JSON Schema object.'
  )
}

function unconvertible(error: unknown): string {
  const reason = error instanceof Error ? error.message : String(error)
  return (
    `The JSON Schema of this schema cannot be made: ${reason}. Describe what travels as JSON (for example a date as ` +
    'a string that is transformed), or write a JSON Schema object.'
  )
}
