import { BailiwickError, hasCode } from './bailiwick-error.ts'

/** A defect of bailiwick, caught: the process and other operations go on. Please report it. */
export class InternalError extends BailiwickError {
  override readonly name = 'InternalError'
  readonly code = 'INTERNAL'

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is InternalError {
    return hasCode(value, 'INTERNAL')
  }
}
