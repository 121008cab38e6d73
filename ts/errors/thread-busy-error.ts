import { BailiwickError, hasCode } from './bailiwick-error.ts'

/** Another run is writing this thread. Wait for it, resume it or cancel it. */
export class ThreadBusyError extends BailiwickError {
  override readonly name = 'ThreadBusyError'
  readonly code = 'THREAD_BUSY'

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is ThreadBusyError {
    return hasCode(value, 'THREAD_BUSY')
  }
}
