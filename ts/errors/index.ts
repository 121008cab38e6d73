export { BailiwickError, type ErrorCode } from './bailiwick-error.ts'
export {
  ApprovalClosedError,
  ApprovalForbiddenError,
  ClosedError,
  ConflictError,
  InternalError,
  InvalidInputError,
  NotFoundError,
  TenantMismatchError,
  WaitClosedError,
} from './call-errors.ts'
export { QuotaExceededError } from './quota-exceeded-error.ts'
export { SpecError, type SpecIssue } from './spec-error.ts'
export { OutcomeUnknownError, StoreCorruptError, StoreLockedError, StoreUnavailableError } from './store-errors.ts'
export { type BusyRun, ThreadBusyError } from './thread-busy-error.ts'
