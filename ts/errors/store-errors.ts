import { BailiwickError, hasCode } from './bailiwick-error.ts'

/** Another process, or another copy of bailiwick in this one, has the directory of this store open. The message says which copies there are. */
export class StoreLockedError extends BailiwickError {
  override readonly name = 'StoreLockedError'
  readonly code = 'STORE_LOCKED'

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is StoreLockedError {
    return hasCode(value, 'STORE_LOCKED')
  }
}

/** The storage engine cannot be reached. It is safe to retry. */
export class StoreUnavailableError extends BailiwickError {
  override readonly name = 'StoreUnavailableError'
  readonly code = 'STORE_UNAVAILABLE'

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is StoreUnavailableError {
    return hasCode(value, 'STORE_UNAVAILABLE')
  }
}

/** The commit may or may not have happened. The message says how to find out. */
export class OutcomeUnknownError extends BailiwickError {
  override readonly name = 'OutcomeUnknownError'
  readonly code = 'OUTCOME_UNKNOWN'

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is OutcomeUnknownError {
    return hasCode(value, 'OUTCOME_UNKNOWN')
  }
}

/** Damage was found in the store. Nothing was guessed and no data of a damaged record is given out. */
export class StoreCorruptError extends BailiwickError {
  override readonly name = 'StoreCorruptError'
  readonly code = 'STORE_CORRUPT'

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is StoreCorruptError {
    return hasCode(value, 'STORE_CORRUPT')
  }
}
