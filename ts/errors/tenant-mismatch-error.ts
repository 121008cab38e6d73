import { BailiwickError, hasCode } from './bailiwick-error.ts'

/** A request or a data environment names another tenant than the runtime serves. The foreign name is not repeated. */
export class TenantMismatchError extends BailiwickError {
  override readonly name = 'TenantMismatchError'
  readonly code = 'TENANT_MISMATCH'

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is TenantMismatchError {
    return hasCode(value, 'TENANT_MISMATCH')
  }
}
