import type { Approval } from '../ledger/index.ts'
import type { JsonValue } from '../types/json.ts'
import type { Wait } from '../types/waits.ts'
import type { AgUiInterrupt } from './event.ts'

/** What answers an approval. */
const decision = {
  type: 'object',
  properties: { approved: { type: 'boolean' }, reason: { type: 'string' } },
  required: ['approved'],
} as const

/** @param callId the call that waits for it */
export function approvalInterrupt(approval: Approval, callId: string | undefined): AgUiInterrupt {
  const { approvalId, subject, expiresAt } = approval
  return {
    id: approvalId,
    reason: 'tool_call',
    message: 'tool' in subject ? `Approve the call of ${subject.tool}?` : 'Approve the plan?',
    ...(callId === undefined ? {} : { toolCallId: callId }),
    responseSchema: decision,
    ...timeOf(expiresAt),
    metadata: { subject: subject as unknown as JsonValue },
  }
}

/** @param wait as `tool.waiting` shows it */
export function waitInterrupt(wait: Wait): AgUiInterrupt {
  const { waitId, kind, callId, tool, question, schema, choices, name, to, dueAt, expiresAt } = wait
  const answer = schema ?? (choices === undefined ? undefined : { enum: [...choices] })
  const details: { readonly [name: string]: JsonValue | undefined } = { tool, choices, name, to, dueAt }
  const metadata: Record<string, JsonValue> = {}
  for (const [key, value] of Object.entries(details)) if (value !== undefined) metadata[key] = value
  return {
    id: waitId,
    reason: kind === 'answer' ? 'input_required' : `bailiwick:${kind}`,
    ...(question === undefined ? {} : { message: question }),
    toolCallId: callId,
    ...(kind === 'answer' && typeof answer === 'object' ? { responseSchema: answer } : {}),
    ...timeOf(expiresAt),
    metadata,
  }
}

function timeOf(expiresAt: number): { readonly expiresAt?: string } {
  const time = new Date(expiresAt)
  return Number.isNaN(time.getTime()) ? {} : { expiresAt: time.toISOString() }
}
