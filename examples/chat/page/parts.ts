import type { UIMessage } from 'ai'

type Part = UIMessage['parts'][number]

/** A tool call as the page shows it. */
export interface CallPart {
  readonly type: string
  readonly toolCallId: string
  readonly state: string
  readonly input?: unknown
  readonly output?: unknown
  readonly errorText?: string
  readonly approval?: { readonly id: string }
}

/** A question that is open. */
export interface Question {
  readonly waitId: string
  readonly callId: string
  readonly status: string
  readonly question?: string
  readonly choices?: readonly string[]
  readonly schema?: { readonly enum?: readonly string[] }
}

export function isCall(part: Part): part is Part & CallPart {
  return part.type.startsWith('tool-') && 'toolCallId' in part
}

/** Whether a call has no result yet. */
export function isOpen({ state }: CallPart): boolean {
  return state === 'approval-requested' || state === 'input-available'
}

/** Returns the question of a call that nobody has answered. */
export function questionOf(message: UIMessage, { toolCallId }: CallPart): Question | undefined {
  const waits = message.parts.flatMap((part) => (part.type === 'data-wait' ? (part as { data: unknown }).data : []))
  return (waits as Question[]).findLast(({ callId, status }) => callId === toolCallId && status === 'open')
}

/** Whether a person can decide or answer something in a message. */
export function isWaiting(message: UIMessage): boolean {
  return message.parts.some((part) => isCall(part) && needsPerson(message, part))
}

function needsPerson(message: UIMessage, call: CallPart): boolean {
  if (call.state === 'approval-requested') return true
  return call.state === 'input-available' && questionOf(message, call) !== undefined
}
