import type * as z from 'zod/mini'
import { type Issues, pathTo } from './issues.ts'
import { messages, oneOf, unknownProperty } from './messages.ts'

/** The part of zod's raw issues that is used here. */
interface RawIssue {
  readonly code?: string | undefined
  readonly input?: unknown
  readonly expected?: unknown
  readonly values?: unknown
  readonly inst?: unknown
}

/** The part of zod's final issues that is used here. */
interface ShapeIssue {
  readonly code?: string | undefined
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly keys?: readonly string[]
  readonly errors?: readonly (readonly ShapeIssue[])[]
  readonly issues?: readonly ShapeIssue[]
}

/** Creates a value on its first use. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

/**
 * Checks the shape of JSON and gives it with its keys in the order of the shape and with defaults filled in.
 * Answers `undefined`, and adds issues, if it does not fit.
 */
export function readShape<Shape extends z.ZodMiniType>(
  shape: () => Shape,
  value: unknown,
  path: string,
  issues: Issues,
): z.output<Shape> | undefined {
  const result = shape().safeParse(value, { error: say })
  if (result.success) return result.data
  for (const issue of result.error.issues) report(issue as ShapeIssue, path, issues)
  return undefined
}

/** An error text for a part of a shape: `message`, or that it is missing. */
export function must(message: string): { error: (issue: RawIssue) => string } {
  return { error: (issue) => (issue.input === undefined ? messages.required : message) }
}

function say(issue: RawIssue): string {
  if (issue.code === 'unrecognized_keys') return unknownProperty(knownKeys(issue.inst))
  if (issue.input === undefined) return messages.required
  if (issue.code === 'invalid_value') return oneOf(issue.values as readonly unknown[])
  switch (issue.expected) {
    case 'string':
      return messages.string
    case 'array':
      return messages.array
    case 'boolean':
      return messages.boolean
    case 'number':
      return messages.number
    default:
      return messages.object
  }
}

function knownKeys(shape: unknown): string[] {
  return Object.keys((shape as z.ZodMiniObject)._zod.def.shape)
}

function report(issue: ShapeIssue, parent: string, issues: Issues): void {
  const path = issue.path.reduce<string>((at, key) => pathTo(at, typeof key === 'number' ? key : String(key)), parent)
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys ?? []) issues.add(pathTo(path, key), issue.message)
    return
  }
  // A union says more when the value is of one alternative's type: then that alternative's own issues are the ones.
  const nested = issue.code === 'invalid_key' ? issue.issues : issue.errors?.find((option) => !option.some(isOtherType))
  if (nested === undefined) issues.add(path, issue.message)
  for (const inner of nested ?? []) report(inner, path, issues)
}

function isOtherType(issue: ShapeIssue): boolean {
  return issue.code === 'invalid_type' && issue.path.length === 0
}
