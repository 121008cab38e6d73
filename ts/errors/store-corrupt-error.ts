import { BailiwickError, hasCode } from './bailiwick-error.ts'

/** Damage was found in the store. Nothing was guessed and no data of a damaged record is given out. */
export class StoreCorruptError extends BailiwickError {
  override readonly name = 'StoreCorruptError'
  readonly code = 'STORE_CORRUPT'

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is StoreCorruptError {
    return hasCode(value, 'STORE_CORRUPT')
  }
}
