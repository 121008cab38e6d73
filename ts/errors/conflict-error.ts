import { BailiwickError, hasCode } from './bailiwick-error.ts'

/** An expected version or length did not hold: somebody else wrote first. Read again, then decide. */
export class ConflictError extends BailiwickError {
  override readonly name = 'ConflictError'
  readonly code = 'CONFLICT'

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is ConflictError {
    return hasCode(value, 'CONFLICT')
  }
}
