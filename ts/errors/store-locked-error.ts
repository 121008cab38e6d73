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
