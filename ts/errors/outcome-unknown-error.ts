import { BailiwickError, hasCode } from './bailiwick-error.ts'

/** The commit may or may not have happened. The message says how to find out. */
export class OutcomeUnknownError extends BailiwickError {
  override readonly name = 'OutcomeUnknownError'
  readonly code = 'OUTCOME_UNKNOWN'

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is OutcomeUnknownError {
    return hasCode(value, 'OUTCOME_UNKNOWN')
  }
}
