import type { RunEvent, TraceEvent } from 'bailiwick'
import type { DeskRuntime } from './desk.ts'

/** News of a chat. */
export interface Change {
  readonly threadId: string
  /** The id of the message that shows it. A page that is shown this message by a stream has the news. */
  readonly answerId: string
  /** `goes-on`: an answer begins or goes on. `ended`: what waited is not to be decided any more. */
  readonly type: 'goes-on' | 'ended'
}

const types: ReadonlyMap<string, Change['type']> = new Map([
  ['run.started', 'goes-on'],
  ['prompt.received', 'goes-on'],
  ['approval.decided', 'goes-on'],
  ['wait.settled', 'goes-on'],
  ['run.cancelled', 'ended'],
])

/** Yields the news of a tenant's chats, so that each page shows what was said, decided or answered in another. */
export async function* changesOf(runtime: DeskRuntime, signal: AbortSignal): AsyncGenerator<Change> {
  for await (const event of runtime.traces.follow({ signal })) {
    const type = types.get(event.type)
    if (type === undefined || !isOfRun(event)) continue
    const { threadId } = await runtime.runs.get(event.runId)
    yield { threadId, answerId: event.type === 'prompt.received' ? event.from : event.runId, type }
  }
}

function isOfRun(event: TraceEvent): event is Extract<RunEvent, { readonly sequence: number }> {
  return 'runId' in event
}
