import type { ApprovalRecord, ApprovalRule, ApprovedBy } from '../types/approvals.ts'
import { isObject } from './canonical.ts'

const isText = (value: unknown) => typeof value === 'string'
const isOptionalText = (value: unknown) => value === undefined || isText(value)
const isNumber = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0
const isHash = (value: unknown) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
const isNames = (value: unknown) => Array.isArray(value) && value.every(isText)
const decisions: readonly unknown[] = ['approved', 'rejected', 'expired', 'withdrawn']

const ruleMembers = new Map<string, (value: unknown) => boolean>([
  ['to', (value) => value === undefined || isNames(value)],
  ['quorum', isNumber],
  ['notBy', (value) => value === undefined || value === 'requester'],
  ['requesters', (value) => value === undefined || isNames(value)],
] satisfies [keyof ApprovalRule, (value: unknown) => boolean][])

const approvedByMembers = new Map<string, (value: unknown) => boolean>([
  ['actor', isText],
  ['reason', isOptionalText],
  ['at', isNumber],
] satisfies [keyof ApprovedBy, (value: unknown) => boolean][])

const members = new Map<string, (value: unknown) => boolean>([
  ['sequence', isNumber],
  ['approvalId', isText],
  ['decision', (value) => decisions.includes(value)],
  ['actor', (value) => value === null || isText(value)],
  ['reason', isOptionalText],
  ['subjectHash', isHash],
  ['editedHash', (value) => value === undefined || isHash(value)],
  ['rule', (value) => value === undefined || isRule(value)],
  ['approvedBy', (value) => value === undefined || isApprovedBy(value)],
  ['requestedBy', isOptionalText],
  ['requestedAt', isNumber],
  ['decidedAt', isNumber],
] satisfies [keyof ApprovalRecord, (value: unknown) => boolean][])

/** Whether `value` is a record to the letter: no member is missing, unknown or of another type. */
export function isApprovalRecord(value: unknown): value is ApprovalRecord {
  return hasMembers(value, members)
}

function isRule(value: unknown): boolean {
  return hasMembers(value, ruleMembers) && (value['notBy'] === undefined) === (value['requesters'] === undefined)
}

function isApprovedBy(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((each) => hasMembers(each, approvedByMembers))
}

function hasMembers(
  value: unknown,
  known: ReadonlyMap<string, (value: unknown) => boolean>,
): value is Readonly<Record<string, unknown>> {
  if (!isObject(value) || !Object.keys(value).every((key) => known.has(key))) return false
  return [...known].every(([key, holds]) => holds(value[key]))
}
