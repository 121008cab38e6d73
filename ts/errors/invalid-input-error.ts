import { BailiwickError, hasCode } from './bailiwick-error.ts'

/** An argument is ill-formed or too large. The message says which and what is accepted. */
export class InvalidInputError extends BailiwickError {
  override readonly name = 'InvalidInputError'
  readonly code = 'INVALID_INPUT'

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is InvalidInputError {
    return hasCode(value, 'INVALID_INPUT')
  }
}
