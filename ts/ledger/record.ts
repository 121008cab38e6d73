import type { ApprovalRecord } from '../types/approvals.ts'
import { isObject } from './canonical.ts'

const isText = (value: unknown) => typeof value === 'string'
const isOptionalText = (value: unknown) => value === undefined || isText(value)
const isNumber = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0
const decisions: readonly unknown[] = ['approved', 'rejected', 'expired', 'withdrawn']

const members = new Map<string, (value: unknown) => boolean>([
  ['sequence', isNumber],
  ['approvalId', isText],
  ['decision', (value) => decisions.includes(value)],
  ['actor', (value) => value === null || isText(value)],
  ['reason', isOptionalText],
  ['subjectHash', (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)],
  ['requestedBy', isOptionalText],
  ['requestedAt', isNumber],
  ['decidedAt', isNumber],
] satisfies [keyof ApprovalRecord, (value: unknown) => boolean][])

/** Whether `value` is a record to the letter: no member is missing, unknown or of another type. */
export function isApprovalRecord(value: unknown): value is ApprovalRecord {
  if (!isObject(value) || !Object.keys(value).every((key) => members.has(key))) return false
  return [...members].every(([key, holds]) => holds(value[key]))
}
