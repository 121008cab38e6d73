import { Buffer } from 'node:buffer'
import { SpecError } from '../errors/index.ts'
import { CallFailure } from '../runs/host/failures.ts'
import { isPlainObject } from '../spec/checks/plain-json.ts'
import { defineTool } from '../spec/definitions/tool.ts'
import type { JsonObject, JsonValue } from '../types/json.ts'
import type { Resumed } from '../types/waits.ts'

// What a server asks for before it goes on with a call: a result with `resultType: 'input_required'` (MCP 2026-07-28, multi
// round-trip requests), as one question to a person.

/** Most bytes of a server's request state. */
const stateBytes = 64 << 10
/** Most bytes of a question, and of the schema of its answer: those of `waitFor.answer`. */
const questionBytes = 16 << 10
const schemaBytes = 64 << 10
/** What a person chooses from once they were sent to an address. */
const choices = ['done', 'cancel'] as const

/** A server's result that asks for input. */
export interface InputRequired {
  /** What it asks for: elicitations, by the keys that the server gave them. */
  readonly requests: readonly InputRequest[]
  /** What the server wants to have back as it is. */
  readonly requestState?: string
}

interface InputRequest {
  readonly key: string
  readonly mode: 'form' | 'url'
  readonly message: string
  /** Of the answer. */
  readonly schema: JsonObject
}

/** What of a question is needed to give its answer to the server. */
export interface Asked {
  readonly key: string
  readonly mode: 'form' | 'url'
}

/** What a call of the tool takes besides its arguments when it is made again. */
export interface Retry {
  readonly inputResponses?: { readonly [key: string]: JsonObject }
  readonly requestState?: string
}

/** Returns the failure of a call whose server asks for what it does not get. */
export function refused(reason: string): CallFailure {
  return new CallFailure('INPUT_REQUEST_REFUSED', `The MCP server asked for input that it does not get. ${reason}`)
}

/**
 * Reads what a result asks for. `undefined`: it is the result of the call.
 *
 * @throws CallFailure for requests that no person can answer, and for those that are malformed or too large
 */
export function readInputRequired(result: object): InputRequired | undefined {
  const { resultType, inputRequests, requestState } = result as { readonly [property: string]: unknown }
  if (resultType !== 'input_required') return undefined
  const requests = isPlainObject(inputRequests)
    ? Object.entries(inputRequests).map(([key, request]) => readRequest(key, request))
    : []
  if (typeof requestState !== 'string') {
    if (requests.length === 0) throw refused('It named no request, and gave no state to come back with.')
    return { requests }
  }
  if (!requestState.isWellFormed()) throw refused('Its request state is not valid Unicode.')
  const bytes = Buffer.byteLength(requestState)
  if (bytes > stateBytes) throw refused(`Its request state has ${bytes} bytes; at most ${stateBytes} are kept.`)
  return { requests, requestState }
}

function readRequest(key: string, request: unknown): InputRequest {
  const { method, params } = isPlainObject(request) ? request : {}
  const name = JSON.stringify(key.slice(0, 64))
  if (!key.isWellFormed()) throw refused(`The key ${name} of its request is not valid Unicode.`)
  if (method !== 'elicitation/create') {
    const asked = typeof method === 'string' ? JSON.stringify(method.slice(0, 64)) : 'without a method'
    throw refused(`Its request ${name} is ${asked}; a person can answer "elicitation/create" alone.`)
  }
  const { mode = 'form', message, requestedSchema, url } = isPlainObject(params) ? params : {}
  const text = typeof message === 'string' ? message : ''
  if (mode === 'url' && isWebAddress(url)) {
    return { key, mode, message: `${text}\n${url}`.trim(), schema: { type: 'string', enum: [...choices] } }
  }
  if (mode === 'form' && isPlainObject(requestedSchema) && requestedSchema['type'] === 'object') {
    return { key, mode, message: text, schema: requestedSchema as JsonObject }
  }
  throw refused(`Its request ${name} has neither the schema of an object nor an address (http or https) to go to.`)
}

function isWebAddress(url: unknown): url is string {
  return typeof url === 'string' && /^https?:/i.test(url) && URL.canParse(url)
}

/** A question for `waitFor.answer`. */
interface Question {
  readonly question: string
  readonly schema?: JsonObject
  readonly choices?: readonly string[]
}

/**
 * Returns the one question for all requests: the request itself, or one for an object that has the answer to each under its key.
 *
 * @throws CallFailure if it is too large, or its schema is none
 */
export async function questionFor(requests: readonly InputRequest[], tool: string): Promise<Question> {
  const question = oneQuestion(requests)
  const text = question.question.toWellFormed() || `The tool ${tool} asks for input.`
  const bytes = Buffer.byteLength(text)
  if (bytes > questionBytes) throw refused(`Its question has ${bytes} bytes; at most ${questionBytes} are asked.`)
  if (question.schema !== undefined) await checkSchema(question.schema, tool)
  return { ...question, question: text }
}

function oneQuestion(requests: readonly InputRequest[]): Question {
  const [only] = requests
  if (only === undefined || requests.length > 1) {
    return { question: requests.map(({ key, message }) => `${key}: ${message}`).join('\n'), schema: objectOf(requests) }
  }
  return { question: only.message, ...(only.mode === 'url' ? { choices } : { schema: only.schema }) }
}

function objectOf(requests: readonly InputRequest[]): JsonObject {
  return {
    type: 'object',
    properties: Object.fromEntries(requests.map(({ key, schema }) => [key, schema])),
    required: requests.map(({ key }) => key),
    additionalProperties: false,
  }
}

/** Has the core compile a schema, as it does once the call waits: a schema that it refuses must leave nothing behind. */
async function checkSchema(schema: JsonObject, tool: string): Promise<void> {
  const bytes = Buffer.byteLength(JSON.stringify(schema))
  if (bytes > schemaBytes)
    throw refused(`The schema of its answer has ${bytes} bytes; at most ${schemaBytes} are taken.`)
  const { unusableTools } = await import('../runs/host/unusable-tools.ts')
  try {
    const reasons = await unusableTools([defineTool({ name: tool, description: 'Asks', input: schema })])
    for (const reason of reasons.values()) throw refused(`The schema of its answer cannot be used. ${reason}`)
  } catch (error) {
    if (!SpecError.isInstance(error)) throw error
    const [issue] = error.issues
    throw refused(`The schema of its answer cannot be used. ${issue?.message ?? ''}`)
  }
}

/** Returns what the server gets for the answer of a person. An error is a refusal, and one with the code `cancel` no decision. */
export function responsesFor(
  asked: readonly Asked[],
  { value, error }: Pick<Resumed, 'value' | 'error'>,
): { readonly [key: string]: JsonObject } {
  const answerTo = ({ key, mode }: Asked): JsonObject => {
    if (error !== undefined) return { action: error.code.toLowerCase() === 'cancel' ? 'cancel' : 'decline' }
    const answer = asked.length === 1 ? value : (value as JsonObject)[key]
    if (mode === 'form') return { action: 'accept', content: answer as JsonValue }
    return { action: answer === 'done' ? 'accept' : 'cancel' }
  }
  return Object.fromEntries(asked.map((request) => [request.key, answerTo(request)]))
}
