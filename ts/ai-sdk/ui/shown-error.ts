import { isPlainObject } from '../../spec/checks/plain-json.ts'
import type { ToolFailure } from '../../types/events.ts'
import type { JsonValue } from '../../types/json.ts'

/** Says what people are shown of an error. */
export type OnShownError = (error: unknown) => string

/** Text for every error unless the host gives another: error texts may name hosts, accounts and passwords. */
const MASKED = 'An error occurred.'

/** Returns the text that users see for an error. Every error text sent to a browser comes from here. */
export function shownError(error: unknown, onError: OnShownError | undefined): string {
  if (onError === undefined) return MASKED
  try {
    const text: unknown = onError(error)
    return typeof text === 'string' ? text : MASKED
  } catch {
    return MASKED
  }
}

/** Returns the text that users see for a failed call. A rejection by a person and its reason are shown as they are. */
export function shownFailure(failure: ToolFailure, onError: OnShownError | undefined): string {
  return failure.code === 'REJECTED' ? failure.message : shownError(asError(failure), onError)
}

/** A failure that an event or a message tells of, as an error with the same code. */
export function asError({ message, ...more }: { readonly code: string; readonly message: string }): Error {
  return Object.assign(new Error(message), more)
}

/** The failure that the result of a call tells of, as threads keep it. Hosts append results of their own, too. */
export function failureIn(result: JsonValue): ToolFailure {
  const told = isPlainObject(result) && isPlainObject(result['error']) ? result['error'] : result
  const { code, message } = isPlainObject(told) ? told : { code: undefined, message: undefined }
  const text = typeof result === 'string' ? result : JSON.stringify(told)
  return {
    code: typeof code === 'string' ? code : 'TOOL_FAILED',
    message: typeof message === 'string' ? message : text,
  }
}
