import type { Tool } from '../../spec/index.ts'
import type { ToolHandler } from '../../types/callbacks.ts'
import { waitFor } from '../wait-for.ts'
import { CallFailure } from './failures.ts'

/** The handler of a tool that a person answers: it asks, and gives the answer. `undefined`: the tool has one of its own. */
export function questionHandler({ question }: Tool): ToolHandler | undefined {
  if (question === undefined) return undefined
  const { answer, ttlMs } = question
  return (input, { resumed }) => {
    if (resumed === undefined) {
      const { question: text } = input as { readonly question?: unknown }
      return waitFor.answer({ question: String(text), schema: answer, ...(ttlMs !== undefined && { ttlMs }) })
    }
    if (resumed.kind === 'expired') throw new CallFailure('WAIT_EXPIRED', 'Nobody answered in time.')
    if (resumed.error !== undefined) throw new CallFailure(resumed.error.code, resumed.error.message)
    return resumed.value
  }
}
