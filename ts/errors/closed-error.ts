import { BailiwickError, hasCode } from './bailiwick-error.ts'

/** The handle, the store or the tenant is closed or erased. */
export class ClosedError extends BailiwickError {
  override readonly name = 'ClosedError'
  readonly code = 'CLOSED'

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is ClosedError {
    return hasCode(value, 'CLOSED')
  }
}
