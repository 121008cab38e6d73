import { BailiwickError, type ErrorCode } from 'bailiwick'

/** An error response. */
export interface Refusal {
  readonly status: 400 | 401 | 403 | 404 | 409 | 413 | 429 | 500 | 503 | 504
  readonly code: string
  readonly message: string
}

/** A body or a parameter is invalid. */
export class BadRequest extends Error {}

const statuses: { readonly [C in ErrorCode]: Refusal['status'] } = {
  INVALID_INPUT: 400,
  TENANT_MISMATCH: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  THREAD_BUSY: 409,
  APPROVAL_CLOSED: 409,
  WAIT_CLOSED: 409,
  QUOTA_EXCEEDED: 429,
  STORE_LOCKED: 503,
  STORE_UNAVAILABLE: 503,
  CLOSED: 503,
  OUTCOME_UNKNOWN: 504,
  SPEC_INVALID: 500,
  STORE_CORRUPT: 500,
  INTERNAL: 500,
}

export const unauthorised: Refusal = {
  status: 401,
  code: 'UNAUTHORISED',
  message: 'Send a valid token: Authorization: Bearer …',
}

export const forbidden: Refusal = { status: 403, code: 'FORBIDDEN', message: 'Your token does not have this scope.' }

export const tooLarge: Refusal = { status: 413, code: 'TOO_LARGE', message: 'The body is too large.' }

/** Converts a failure to a response. Each class has one status, so that absent and foreign are indistinguishable. */
export function refusalOf(error: unknown): Refusal {
  if (BailiwickError.isInstance(error)) {
    const status = statuses[error.code]
    // Internal errors go to the log.
    const message = status === 500 ? 'The host failed.' : error.message
    return { status, code: error.code, message }
  }
  if (error instanceof BadRequest) return { status: 400, code: 'INVALID_INPUT', message: error.message }
  return { status: 500, code: 'INTERNAL', message: 'The host failed.' }
}
