import { BailiwickError, hasCode } from './bailiwick-error.ts'

/** The approval was decided, has expired or was withdrawn already. */
export class ApprovalClosedError extends BailiwickError {
  override readonly name = 'ApprovalClosedError'
  readonly code = 'APPROVAL_CLOSED'

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is ApprovalClosedError {
    return hasCode(value, 'APPROVAL_CLOSED')
  }
}
