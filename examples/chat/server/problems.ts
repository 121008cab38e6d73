import { BailiwickError, type ErrorCode } from 'bailiwick'
import { HTTPException } from 'hono/http-exception'
import { z } from 'zod'

type Status = 400 | 401 | 403 | 404 | 409 | 413 | 429 | 500 | 503

/** The status of each error that people may see. All others are ours, and shown as `The server failed.` */
const statuses: { readonly [C in ErrorCode]?: Status } = {
  INVALID_INPUT: 400,
  NOT_FOUND: 404,
  CONFLICT: 409,
  THREAD_BUSY: 409,
  APPROVAL_CLOSED: 409,
  APPROVAL_FORBIDDEN: 403,
  WAIT_CLOSED: 409,
  QUOTA_EXCEEDED: 429,
  STORE_LOCKED: 503,
  STORE_UNAVAILABLE: 503,
  CLOSED: 503,
}

/** Returns what people are told of an error. */
export function shownProblem(error: unknown): { readonly status: Status; readonly message: string } {
  if (error instanceof HTTPException) return { status: error.status as Status, message: error.message }
  const status = BailiwickError.isInstance(error) ? (statuses[error.code] ?? 500) : 500
  return { status, message: status >= 500 ? 'The server failed.' : (error as Error).message }
}

/** Ends a request with this status. */
export function refuse(status: Status, message: string): never {
  throw new HTTPException(status, { message })
}

/** Returns what a browser has sent, if it has this form. */
export function read<T>(schema: z.ZodType<T>, given: unknown): T {
  const { data, error } = schema.safeParse(given)
  return error === undefined ? (data as T) : refuse(400, z.prettifyError(error))
}
