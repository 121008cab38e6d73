import type { BailiwickError, ErrorCode } from './bailiwick-error.ts'
import {
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
import { QuotaExceededError } from './quota-exceeded-error.ts'
import { SpecError, type SpecIssue } from './spec-error.ts'
import { OutcomeUnknownError, StoreCorruptError, StoreLockedError, StoreUnavailableError } from './store-errors.ts'
import { type BusyRun, ThreadBusyError } from './thread-busy-error.ts'

/** The classes that carry nothing but a message. */
const plainClasses = {
  INVALID_INPUT: InvalidInputError,
  NOT_FOUND: NotFoundError,
  TENANT_MISMATCH: TenantMismatchError,
  CONFLICT: ConflictError,
  APPROVAL_CLOSED: ApprovalClosedError,
  APPROVAL_FORBIDDEN: ApprovalForbiddenError,
  WAIT_CLOSED: WaitClosedError,
  STORE_LOCKED: StoreLockedError,
  STORE_UNAVAILABLE: StoreUnavailableError,
  OUTCOME_UNKNOWN: OutcomeUnknownError,
  STORE_CORRUPT: StoreCorruptError,
  CLOSED: ClosedError,
  INTERNAL: InternalError,
} satisfies Record<
  Exclude<ErrorCode, 'SPEC_INVALID' | 'QUOTA_EXCEEDED' | 'THREAD_BUSY'>,
  new (
    message: string,
  ) => BailiwickError
>

/**
 * The error for a failure that the core reports.
 *
 * @param code the stable code; an unknown one gives an `InternalError`
 * @param message the core's message
 * @param details for `SPEC_INVALID` the array of issues, for `QUOTA_EXCEEDED` `{ quota, limit, used }`, for `THREAD_BUSY`
 *   `{ runId, status }` if a run has it, else nothing
 */
export function errorFromCode(code: string, message: string, details?: unknown): BailiwickError {
  if (code === 'SPEC_INVALID') return new SpecError(issuesFrom(details, message))
  if (code === 'QUOTA_EXCEEDED') return new QuotaExceededError(message, quotaFrom(details))
  if (code === 'THREAD_BUSY') return new ThreadBusyError(message, busyRunFrom(details))
  if (Object.hasOwn(plainClasses, code)) return new plainClasses[code as keyof typeof plainClasses](message)
  return new InternalError(`Unknown failure ${code}: ${message}`)
}

function issuesFrom(details: unknown, message: string): SpecIssue[] {
  if (!Array.isArray(details)) return [{ path: '', message }]
  return details.map((issue: Partial<SpecIssue>) => ({
    path: String(issue.path ?? ''),
    message: String(issue.message ?? message),
  }))
}

function busyRunFrom(details: unknown): BusyRun | undefined {
  const { runId, status } = (details ?? {}) as Partial<BusyRun>
  return runId === undefined || status === undefined ? undefined : { runId: String(runId), status }
}

function quotaFrom(details: unknown): { quota: string; limit: number; used: number } {
  const { quota, limit, used } = (details ?? {}) as { quota?: unknown; limit?: unknown; used?: unknown }
  return { quota: String(quota ?? ''), limit: Number(limit ?? 0), used: Number(used ?? 0) }
}
