import { BailiwickError, hasCode } from './bailiwick-error.ts'

/** The storage engine cannot be reached. It is safe to retry. */
export class StoreUnavailableError extends BailiwickError {
  override readonly name = 'StoreUnavailableError'
  readonly code = 'STORE_UNAVAILABLE'

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is StoreUnavailableError {
    return hasCode(value, 'STORE_UNAVAILABLE')
  }
}
