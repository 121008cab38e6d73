import type { Runtime } from '../../tenant/runtime.ts'
import type { JournaledEvent } from '../../types/events.ts'
import type { RunSummary } from '../../types/runs.ts'
import type { Part } from '../../types/threads.ts'
import { unlessGone } from './gone.ts'
import { inTurn } from './in-turn.ts'

/** A run with its request and result. */
export interface Story {
  readonly run: RunSummary
  /** Absent where the run is gone meanwhile. */
  readonly question?: string
  /** The answer, why there is none, or what it waits for. */
  readonly answer?: string
}

/** Returns request and result of each run, from its first and last event. */
export async function storiesOf(runtime: Runtime, runs: readonly RunSummary[]): Promise<Story[]> {
  return await inTurn(runs, async (run) => {
    const [question, answer] = [await questionOf(runtime, run.runId), await answerOf(runtime, run)]
    return { run, ...(question === undefined ? {} : { question }), ...(answer === undefined ? {} : { answer }) }
  })
}

export function promptText(prompt: string | readonly Part[]): string {
  if (typeof prompt === 'string') return prompt
  return prompt.map((part) => (part.type === 'text' ? part.text : `[${part.type}]`)).join(' ')
}

async function questionOf(runtime: Runtime, runId: string): Promise<string | undefined> {
  return await unlessGone(
    (async () => {
      for await (const event of runtime.runs.follow(runId)) {
        const isFirst = event.type === 'run.started' || event.type === 'run.queued'
        if (!isFirst) return undefined
        return event.continues === undefined ? promptText(event.prompt) : `(goes on with ${event.continues.runId})`
      }
      return undefined
    })(),
  )
}

async function answerOf(runtime: Runtime, { runId, status }: RunSummary): Promise<string | undefined> {
  // A queued, running or interrupted run has no result yet.
  if (status === 'queued' || status === 'running' || status === 'interrupted') return undefined
  const page = await unlessGone(runtime.traces.list({ runId, limit: 1 }))
  const [last] = (page?.items ?? []) as JournaledEvent[]
  switch (last?.type) {
    case 'run.completed':
      return last.text === '' ? JSON.stringify(last.output) : last.text
    case 'run.failed':
      return `${last.error.code}: ${last.error.message}`
    case 'run.limited':
      return `stopped by ${last.limit}`
    case 'run.suspended':
      return `waits for ${[
        ...last.approvals.map(({ subject }) => ('tool' in subject ? subject.tool : 'a plan')),
        ...(last.waits ?? []).map(({ kind, tool }) => `${kind} (${tool})`),
      ].join(', ')}`
    default:
      return undefined
  }
}
