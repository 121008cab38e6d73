import type { JsonSchema } from '../../types/json.ts'
import { checkTool } from '../checks/agent-and-tool-checks.ts'
import { Issues } from '../checks/issues.ts'
import { isPlainObject } from '../checks/plain-json.ts'
import { toolShape } from '../checks/shapes.ts'
import {
  type Schema,
  type SchemaInput,
  type SchemaOutput,
  toJsonSchema,
  type UntypedArguments,
} from '../schema/schema.ts'
import { freezeDefinition, heldIn, nameOf, propertiesOf, standardSchemas } from './definition.ts'
import type { ReferenceType } from './reference.ts'

/** Carries inferred types; there is no such property. */
export declare const inferred: unique symbol

/** Whether a person must agree before a call: never, always, or as `createRuntime`'s `needsApproval` says. */
export type ApprovalPolicy = 'never' | 'always' | 'dynamic'

/** Effects of a tool: none, or effects that must not happen twice. */
export type ToolEffects = 'read' | 'write'

/** Policy for a `write` call that was started and has no result after a crash. */
export type InterruptedPolicy = 'ask' | 'retry' | 'fail'

/**
 * What an agent does while a call waits for an answer, an event, a time or an approval. `suspend`: it waits, too. `continue`: its model is told
 * that the call waits, and goes on; the result comes later, in a message of its own. If the model of the entry agent stops before, the
 * run is completed and the result begins a run in the thread. A prompt with `whenBusy: 'steer'` makes the agent go on in either case: each call
 * of it that waits then is treated as with `continue`.
 */
export type WhileWaiting = 'suspend' | 'continue'

/**
 * A tool that agents may call. Frozen JSON; the handler is given to `createRuntime`.
 *
 * @typeParam N its name
 * @typeParam I what its handler is given
 * @typeParam O what its handler answers
 */
export interface Tool<N extends string = string, I = unknown, O = unknown> {
  readonly name: N
  readonly description: string
  /** The JSON Schema of the arguments. */
  readonly input: JsonSchema
  /** The JSON Schema of the result. */
  readonly output?: JsonSchema
  readonly approval: ApprovalPolicy
  readonly effects: ToolEffects
  readonly onInterrupted: InterruptedPolicy
  /** Timeout of a call, in milliseconds; with `retry`, of each attempt. */
  readonly timeoutMs?: number
  /** The properties of the input that hold reference ids, each with the name of the reference type. */
  readonly references?: { readonly [property: string]: string }
  /** The name of the reference type under which a large result is kept. */
  readonly result?: string
  /** Whether a model may make the same `write` call twice in one answer. */
  readonly allowRepeats?: boolean
  /** What its agent does while a call waits. `suspend` if it is left out. See `WhileWaiting`. */
  readonly whileWaiting?: WhileWaiting
  /** What makes it a question that a person answers: it has no handler. See `defineQuestion`. */
  readonly question?: ToolQuestion
  /** Whether a call is made again whose handler fails. */
  readonly retry?: ToolRetry
  readonly [inferred]?: { readonly input: I; readonly output: O }
}

/**
 * How a call is made again whose failure may pass: with the same idempotency key, after a pause that doubles with each attempt.
 */
export interface ToolRetry {
  /** The most calls of the handler, the first included. At least 1. */
  readonly attempts: number
  /** The first pause, in milliseconds, at least 1. Up to half of each pause is left out at random. Default 500. */
  readonly backoffMs?: number
  /** The longest pause, in milliseconds, at least 1. Default 30,000. */
  readonly maxBackoffMs?: number
}

/** The answer that a question asks for, and the milliseconds until it expires. */
export interface ToolQuestion {
  readonly answer: JsonSchema
  readonly ttlMs?: number
}

/** A tool without handler: a person answers. */
export interface QuestionTool<N extends string = string, I = unknown, O = unknown> extends Tool<N, I, O> {
  readonly question: ToolQuestion
}

/** Argument of `defineTool`. */
export interface ToolDefinition<N extends string, I extends Schema, O extends Schema | undefined> {
  /** `^[A-Za-z][A-Za-z0-9_-]{0,63}$` */
  readonly name: N
  /** Description for the model. */
  readonly description: string
  /**
   * The arguments, an object: a Standard Schema that can give its JSON Schema (zod ≥ 4.2, arktype, valibot wrapped by
   * `@valibot/to-json-schema`) or a JSON Schema. A Standard Schema decides alone: coercion, defaults, transforms and
   * refinements apply, and the handler gets its output; models are shown its JSON Schema. It may validate more than once,
   * also before an approval of the call is requested.
   */
  readonly input: I
  /** The result, in the same way. The handler answers what the schema takes. */
  readonly output?: O
  /** Default `never`. */
  readonly approval?: ApprovalPolicy
  /** Default `write`. */
  readonly effects?: ToolEffects
  /** Default `ask`: it becomes an approval. */
  readonly onInterrupted?: InterruptedPolicy
  /** Timeout of a call, with `retry` of each attempt: a positive number of milliseconds. Default: as long as the run. */
  readonly timeoutMs?: number
  /** The properties of the input that hold reference ids: the only ones that are checked for their owner. */
  readonly references?: { readonly [property: string]: ReferenceType | string }
  /** The reference type under which a large result is kept. */
  readonly result?: ReferenceType | string
  /**
   * Whether a `write` call that has the name and the input of an earlier one of the same answer is made as well. Default: it
   * is not, since some servers send a call twice; the model is told that the result is there.
   */
  readonly allowRepeats?: boolean
  /**
   * What its agent does while a call waits for an answer, an event, a time or an approval. Default `suspend`: the run is suspended
   * once nothing else is left to do, until the call has its result or a prompt is handed to the run (`whenBusy: 'steer'`), which defers
   * every call that waits. With `continue`, calls of this tool are deferred without a prompt: the model is told that the call waits, and goes
   * on; the result comes later, in a message of its own.
   */
  readonly whileWaiting?: WhileWaiting
  /**
   * Makes a call again whose handler throws an error with `retryable: true`, or, of a tool that only reads, does not answer in `timeoutMs`. Default:
   * it fails, and its model is told. `retryAfterMs` of the error sets the pause. Each attempt that is followed by another is a `tool.retried`.
   */
  readonly retry?: ToolRetry
}

/**
 * A tool that agents may call.
 *
 * @throws SpecError with every problem of the definition
 * @example
 * ```ts
 * const search = defineTool({
 *   name: 'search',
 *   description: 'Finds products',
 *   input: z.object({ text: z.string(), limit: z.number().default(10) }),
 *   effects: 'read',
 * })
 * ```
 */
export function defineTool<
  const N extends string,
  const I extends Schema,
  const O extends Schema | undefined = undefined,
>(definition: ToolDefinition<N, I, O>): Tool<N, SchemaOutput<I, UntypedArguments>, SchemaInput<O>> {
  const issues = new Issues()
  const given = propertiesOf(definition, issues)
  const { references } = given
  const input = toJsonSchema(given['input'], 'input', issues, { rootInPlace: true })
  if (isPlainObject(input) && input['type'] !== 'object') issues.add('input', notOfAnObject(given['name'], input))
  const draft = {
    ...given,
    input,
    output: toJsonSchema(given['output'], 'output', issues),
    references: isPlainObject(references) ? mapValues(references, nameOf) : references,
    result: nameOf(given['result']),
  }
  const behind = {
    references: heldIn([...(isPlainObject(references) ? Object.values(references) : []), given['result']]),
    schemas: standardSchemas(given, ['input', 'output']),
  }
  return freezeDefinition(toolShape, draft, { kind: 'tool', ...behind }, issues, checkTool) as never
}

function mapValues(record: Record<string, unknown>, map: (value: unknown) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))
}

/** Returns the message for an input that is no schema of an object: what it is, and what to do. */
function notOfAnObject(name: unknown, input: Record<string, unknown>): string {
  const type = JSON.stringify(input['type'])
  const keyword = ['anyOf', 'oneOf', 'allOf', 'properties', '$ref'].find((known) => Object.hasOwn(input, known))
  const found = type === undefined ? `${keyword === undefined ? '' : `"${keyword}" and `}no "type"` : `"type": ${type}`
  const advice =
    type === undefined && keyword === 'properties'
      ? 'Add "type": "object".'
      : 'Wrap it: z.object({ request: … }), or { "type": "object", "properties": { "request": … } }.'
  return (
    `Must be a schema of an object ("type": "object"), because tools are called with named arguments. That of the tool ` +
    `${JSON.stringify(name)} has ${found}. ${advice}`
  )
}
