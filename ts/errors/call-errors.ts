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

/** Nothing with this id belongs to this tenant. Absent, expired, erased and foreign are indistinguishable. */
export class NotFoundError extends BailiwickError {
  override readonly name = 'NotFoundError'
  readonly code = 'NOT_FOUND'

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is NotFoundError {
    return hasCode(value, 'NOT_FOUND')
  }
}

/** A request or a data environment names another tenant than the runtime serves. The foreign name is not repeated. */
export class TenantMismatchError extends BailiwickError {
  override readonly name = 'TenantMismatchError'
  readonly code = 'TENANT_MISMATCH'

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is TenantMismatchError {
    return hasCode(value, 'TENANT_MISMATCH')
  }
}

/** An expected version or length did not hold: another writer was first. Read again, then decide. */
export class ConflictError extends BailiwickError {
  override readonly name = 'ConflictError'
  readonly code = 'CONFLICT'

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is ConflictError {
    return hasCode(value, 'CONFLICT')
  }
}

/** The approval was decided, has expired or was withdrawn already. */
export class ApprovalClosedError extends BailiwickError {
  override readonly name = 'ApprovalClosedError'
  readonly code = 'APPROVAL_CLOSED'

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is ApprovalClosedError {
    return hasCode(value, 'APPROVAL_CLOSED')
  }
}

/** The rule of the approval does not let this actor decide it. `approvals.get` shows the rule. */
export class ApprovalForbiddenError extends BailiwickError {
  override readonly name = 'ApprovalForbiddenError'
  readonly code = 'APPROVAL_FORBIDDEN'

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is ApprovalForbiddenError {
    return hasCode(value, 'APPROVAL_FORBIDDEN')
  }
}

/** The wait was settled with something else, has expired or was cancelled. */
export class WaitClosedError extends BailiwickError {
  override readonly name = 'WaitClosedError'
  readonly code = 'WAIT_CLOSED'

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is WaitClosedError {
    return hasCode(value, 'WAIT_CLOSED')
  }
}

/** The handle, the store or the tenant is closed or erased. */
export class ClosedError extends BailiwickError {
  override readonly name = 'ClosedError'
  readonly code = 'CLOSED'

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is ClosedError {
    return hasCode(value, 'CLOSED')
  }
}

/** An internal error of bailiwick: the process and other operations continue. Please report it. */
export class InternalError extends BailiwickError {
  override readonly name = 'InternalError'
  readonly code = 'INTERNAL'

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is InternalError {
    return hasCode(value, 'INTERNAL')
  }
}
