import { setImmediate as nextTurn } from 'node:timers/promises'
import * as types from 'node:util/types'
import { assertSize, isBytes, refuseOtherBinary, wholeJsonText } from '../../arguments/checks.ts'
import { quietly } from '../../common/quietly.ts'
import { InvalidInputError } from '../../errors/index.ts'
import { byteLengthOf, type Message } from '../../native/message.ts'
import { deepFreeze } from '../../spec/checks/plain-json.ts'
import type { StandardSchema, ValidationResult } from '../../spec/schema/schema.ts'
import type { ToolContext } from '../../types/callbacks.ts'
import type { JsonValue } from '../../types/json.ts'
import type { Resumed } from '../../types/waits.ts'
import { openCallOf } from '../wait-for.ts'
import { toolAround } from './around.ts'
import { CallFailure } from './failures.ts'
import type { HostParts } from './host-parts.ts'

export interface ToolCallback {
  readonly agent: string
  /** Number of the calling agent's frame in the run, from 1. */
  readonly frame: number
  /** The run that calls: the one that was begun or resumed here, or the one that has its prompt. */
  readonly runId: string
  readonly threadId: string
  readonly callId: string
  readonly actor?: string
  readonly tool: string
  readonly idempotencyKey: string
  readonly resumed?: Resumed & { readonly settledAt?: number }
  readonly input: unknown
}

export interface ToolAnswer {
  write(message: Message): void
  /** The same as content, for those who may see it. Of bytes there is nothing to show. */
  shown(): JsonValue | undefined
}

const JSON_RESULT = 0
const TEXT_RESULT = 1
const BYTES_RESULT = 2
const REFERENCE_RESULT = 3
const VALIDATED_RESULT = 4
const WAITS = 5

/** The largest progress of a call, in bytes of JSON. `PROGRESS_BYTES` in crates/runtime/src/runs/steps/tools/mod.rs is the same. */
const PROGRESS_BYTES = 64 << 10

/**
 * The context of a call: made here, frozen, and bound to the tenant.
 *
 * @param show shows followers how far the call is: JSON text
 */
export function contextFor(
  callback: ToolCallback,
  signal: AbortSignal,
  parts: HostParts,
  show: (text: string) => void,
): ToolContext {
  const { runId, threadId, callId, actor, idempotencyKey, resumed } = callback
  const { tenant, references, cache, dataEnvironment } = parts
  return Object.freeze({
    tenant,
    runId,
    threadId,
    callId,
    ...(actor === undefined ? {} : { actor }),
    references,
    cache,
    dataEnvironment,
    signal,
    idempotencyKey,
    progress: (value: unknown) => show(progressText(value)),
    ...(resumed === undefined ? {} : { resumed: resumedFor(resumed) }),
  })
}

/** @throws InvalidInputError unless it is JSON of at most 64 KiB */
function progressText(value: unknown): string {
  const text = wholeJsonText(value ?? null, 'progress')
  const bytes = Buffer.byteLength(text)
  if (bytes <= PROGRESS_BYTES) return text
  throw new InvalidInputError(
    `The progress has ${bytes} bytes of JSON; at most ${PROGRESS_BYTES} (64 KiB) are shown. Store the value with context.references.put, and show the id.`,
  )
}

function resumedFor({ settledAt: _, ...resumed }: NonNullable<ToolCallback['resumed']>): Resumed {
  return deepFreeze(resumed)
}

/**
 * Calls a tool's handler with the validated input, through the hook if there is one.
 *
 * @throws what the handler or the hook throws, and CallFailure for an input or result that its schema refuses
 */
export async function callTool(
  callback: ToolCallback,
  signal: AbortSignal,
  parts: HostParts,
  show: (text: string) => void,
): Promise<ToolAnswer> {
  const handler = parts.handler(callback.tool)
  if (handler === undefined) throw new CallFailure('TOOL_UNKNOWN', 'The tool has no handler.')
  const schemas = parts.schemas(callback.tool)
  const input = schemas.input ? await validated(schemas.input, callback.input, 'INPUT_INVALID') : callback.input
  const context = contextFor(callback, signal, parts, show)
  const handle = async (): Promise<unknown> => {
    const answered: unknown = await handler(input, context)
    return types.isGeneratorObject(answered) ? await returnOf(answered as AnyGenerator, context) : answered
  }
  const hook = parts.around.tool
  const call = { tool: callback.tool, input: callback.input, context }
  const result = hook === undefined ? await handle() : await toolAround(hook, call, handle)
  const request = openCallOf(result)
  if (request !== undefined) {
    assertSize(request.length)
    return { write: (message) => message.u8(WAITS).raw(request), shown: () => undefined }
  }
  if (isBytes(result)) {
    assertSize(byteLengthOf(result))
    return { write: (message) => message.u8(BYTES_RESULT).rawBytes(result), shown: () => undefined }
  }
  if (isReference(result)) {
    const { id } = result
    return { write: (message) => message.u8(REFERENCE_RESULT).raw(id), shown: () => ({ reference: id }) }
  }
  if (schemas.output) {
    const text = wholeJsonText((await validated(schemas.output, result, 'RESULT_INVALID')) ?? null)
    assertSize(text.length)
    return { write: (message) => message.u8(VALIDATED_RESULT).raw(text), shown: () => JSON.parse(text) as JsonValue }
  }
  if (typeof result === 'string') {
    assertSize(result.length)
    const text = result.toWellFormed()
    return { write: (message) => message.u8(TEXT_RESULT).raw(text), shown: () => text }
  }
  refuseOtherBinary(result)
  const text = wholeJsonText(result ?? null)
  assertSize(text.length)
  return { write: (message) => message.u8(JSON_RESULT).raw(text), shown: () => JSON.parse(text) as JsonValue }
}

type AnyGenerator = Generator<unknown, unknown> | AsyncGenerator<unknown, unknown>

/** Steps of a generator between yields to the event loop: a generator may never await. */
const STEPS_IN_A_ROW = 64

/** Returns the return value of a generator. Yielded values are progress. */
async function returnOf(generator: AnyGenerator, { signal, progress }: ToolContext): Promise<unknown> {
  // A waiting call learns of it when it continues, and ends then.
  const stop = () => void (async () => await generator.return(undefined))().catch(() => {})
  signal.addEventListener('abort', stop, { once: true })
  try {
    for (let steps = 1; !signal.aborted; steps += 1) {
      const { done, value } = await generator.next()
      if (done === true) return await value
      quietly(() => progress(value))
      if (steps % STEPS_IN_A_ROW === 0) await nextTurn()
    }
    stop()
    return undefined
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

async function validated(schema: StandardSchema, value: unknown, code: string): Promise<unknown> {
  const outcome = await schema['~standard'].validate(value)
  if (outcome.issues === undefined) return outcome.value
  throw new CallFailure(code, `It does not fit its schema: ${issuesText(outcome.issues)}`)
}

/** Returns the first five issues of a schema as a text for a model. */
export function issuesText(issues: NonNullable<ValidationResult<unknown>['issues']>): string {
  const texts = issues.slice(0, 5).map(({ message, path }) => {
    const keys = (path ?? []).map((key) => String(typeof key === 'object' ? key.key : key))
    return `at "/${keys.join('/')}": ${message}`
  })
  return texts.join('; ')
}

/** Whether it is a Reference, as `references.put` gives it. Whose it is, the core finds out. */
function isReference(value: unknown): value is { readonly id: string } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const { id, type, mediaType, byteLength } = value as Record<string, unknown>
  return (
    typeof id === 'string' &&
    /^ref_[a-z2-7]{32}$/.test(id) &&
    typeof type === 'string' &&
    typeof mediaType === 'string' &&
    typeof byteLength === 'number'
  )
}
