import { BailiwickError, hasCode } from './bailiwick-error.ts'

/** One of the tenant's own limits is reached. Delete what is no longer needed, or raise the limit in the spec. */
export class QuotaExceededError extends BailiwickError {
  override readonly name = 'QuotaExceededError'
  readonly code = 'QUOTA_EXCEEDED'
  /** The limit by its name in the spec: `items.references`, `bytes`, `valueBytes`, … */
  readonly quota: string
  /** The limit, in items or bytes. */
  readonly limit: number
  /** Items or bytes in use; for `valueBytes`, the bytes of the value. The message says how much more was requested. */
  readonly used: number

  constructor(message: string, usage: { quota: string; limit: number; used: number }, options?: ErrorOptions) {
    super(message, options)
    this.quota = usage.quota
    this.limit = usage.limit
    this.used = usage.used
  }

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is QuotaExceededError {
    return hasCode(value, 'QUOTA_EXCEEDED')
  }
}
