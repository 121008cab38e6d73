import { isPlainObject } from '../../../spec/checks/plain-json.ts'

/** Why a model failed, as the loop reads it. */
export interface ModelFailure extends Error {
  /** Whether the same request may succeed later. */
  readonly retryable: boolean
  /** Wait requested by the provider, in milliseconds. */
  readonly retryAfterMs?: number
}

/** The properties that a provider's error may have; `AI_APICallError` has them all. */
interface ProviderError {
  readonly message?: unknown
  readonly type?: unknown
  readonly isRetryable?: unknown
  readonly statusCode?: unknown
  readonly responseHeaders?: unknown
}

/** Error types that a repeated request would hit again. */
const permanentTypes = new Set([
  'invalid_request_error',
  'authentication_error',
  'billing_error',
  'permission_error',
  'not_found_error',
  'request_too_large',
])

/**
 * A provider's error as the loop reads it; the error itself is its cause.
 *
 * @param isRetryableByDefault whether an error that does not say so may be retried
 */
export function toFailure(error: unknown, isRetryableByDefault: boolean): ModelFailure {
  const given: ProviderError = typeof error === 'object' && error !== null ? error : { message: error }
  const retryAfterMs = retryAfterOf(given.responseHeaders)
  return Object.assign(new Error(messageOf(given), { cause: error }), {
    retryable: isRetryable(given, isRetryableByDefault),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  })
}

/** AI SDK errors of a package that cannot convert a conversation into a request. */
const refusals = new Set([
  'AI_UnsupportedFunctionalityError',
  'AI_InvalidPromptError',
  'AI_InvalidArgumentError',
  'AI_InvalidDataContentError',
  'AI_TypeValidationError',
  'AI_NoSuchProviderReferenceError',
])

/** Whether a provider's package refused the conversation itself, before anything was sent: files and parts that it does not take. */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  // Some packages have no class for it; checks of zod have theirs.
  return refusals.has(error.name) || error.name === 'ZodError' || error.message.startsWith('Unsupported ')
}

function messageOf({ message, statusCode }: ProviderError): string {
  // Some providers quote the key that they refuse, and a failure's message is kept with the run.
  if (statusCode === 401 || statusCode === 403) {
    return `The model provider refused the credentials (HTTP ${statusCode}). Check the key and what it may be used for.`
  }
  const text = typeof message === 'string' && message !== '' ? message : 'The model provider gave no reason.'
  return typeof statusCode === 'number' ? `The model provider answered HTTP ${statusCode}: ${text}` : text
}

function isRetryable({ isRetryable, statusCode, type }: ProviderError, byDefault: boolean): boolean {
  if (typeof isRetryable === 'boolean') return isRetryable
  if (typeof statusCode === 'number')
    return statusCode === 408 || statusCode === 409 || statusCode === 429 || statusCode >= 500
  return byDefault && !permanentTypes.has(String(type))
}

/** `retry-after-ms`, or `retry-after` in seconds or as a date. */
function retryAfterOf(headers: unknown): number | undefined {
  if (!isPlainObject(headers)) return undefined
  const lowerCase = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  const candidates = [toNumber(lowerCase['retry-after-ms']), secondsOrDate(lowerCase['retry-after'])]
  const wait = candidates.find((candidate) => Number.isFinite(candidate))
  return wait === undefined ? undefined : Math.max(0, Math.ceil(wait))
}

function secondsOrDate(header: unknown): number {
  const seconds = toNumber(header)
  return Number.isFinite(seconds) ? seconds * 1000 : Date.parse(String(header)) - Date.now()
}

function toNumber(header: unknown): number {
  return typeof header === 'string' && header.trim() !== '' ? Number(header) : Number.NaN
}
