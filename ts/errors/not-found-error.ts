import { BailiwickError, hasCode } from './bailiwick-error.ts'

/** Nothing with this id belongs to this tenant. Absent, expired, erased and foreign are indistinguishable. */
export class NotFoundError extends BailiwickError {
  override readonly name = 'NotFoundError'
  readonly code = 'NOT_FOUND'

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is NotFoundError {
    return hasCode(value, 'NOT_FOUND')
  }
}
