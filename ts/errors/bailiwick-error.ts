import type { Reference } from '../types/references.ts'

/** Marks errors, so that another copy of this package in the same process recognises them: the symbol registry is shared. */
const brand: unique symbol = Symbol.for('bailiwick.error')

/** The stable code of each error class. Codes never change their meaning. */
export type ErrorCode =
  | 'SPEC_INVALID'
  | 'INVALID_INPUT'
  | 'NOT_FOUND'
  | 'TENANT_MISMATCH'
  | 'CONFLICT'
  | 'THREAD_BUSY'
  | 'APPROVAL_CLOSED'
  | 'APPROVAL_FORBIDDEN'
  | 'WAIT_CLOSED'
  | 'QUOTA_EXCEEDED'
  | 'STORE_LOCKED'
  | 'STORE_UNAVAILABLE'
  | 'OUTCOME_UNKNOWN'
  | 'STORE_CORRUPT'
  | 'CLOSED'
  | 'INTERNAL'

/**
 * The base of every error that bailiwick throws. Tell errors apart by `code`, or by a class's `isInstance`, which
 * (unlike `instanceof`) also recognises errors of another installed copy of the package. The `stack` of one that a call
 * rejects with names the functions that await the call.
 *
 * @example
 * ```ts
 * try {
 *   await runtime.references.resolve(id)
 * } catch (error) {
 *   if (NotFoundError.isInstance(error)) return undefined
 *   throw error
 * }
 * ```
 */
export abstract class BailiwickError extends Error {
  /** The stable code of the class. */
  abstract readonly code: ErrorCode

  /** The name of the class, kept when a bundler renames classes. */
  abstract override readonly name: string

  /**
   * Of `references.putMany`: what it had kept when it failed, which are the first of its items. An error of OutcomeUnknownError
   * may have kept up to 250 more; putting an item again that is there changes nothing.
   */
  declare readonly done?: readonly Reference[]

  /** @internal */
  get [brand](): true {
    return true
  }

  /** Whether `value` is an error of bailiwick, of whichever installed copy. Never throws. */
  static isInstance(value: unknown): value is BailiwickError {
    return codeOf(value) !== undefined
  }
}

/** The code of `value` if it is an error of bailiwick, of whichever installed copy. */
function codeOf(value: unknown): ErrorCode | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const candidate = value as { [brand]?: unknown; code?: unknown }
  return candidate[brand] === true && typeof candidate.code === 'string' ? (candidate.code as ErrorCode) : undefined
}

/** Whether `value` is an error of bailiwick with this code. */
export function hasCode(value: unknown, code: ErrorCode): boolean {
  return codeOf(value) === code
}
