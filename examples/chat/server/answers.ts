import type { Approval, Message, Page, Run, RunEvent, Wait } from 'bailiwick'
import type { DeskRuntime } from './desk.ts'

/**
 * Yields the events of a request. If its prompt was handed to the run that has the thread, because that one waits for an approval or an
 * answer, yields those of the answer there.
 */
export async function* answerTo(runtime: DeskRuntime, request: Run<unknown>): AsyncGenerator<RunEvent> {
  for await (const event of request) {
    if (event.type === 'run.steered') return yield* answerIn(runtime, event.into, request.runId)
    yield event
  }
}

async function* answerIn(runtime: DeskRuntime, runId: string, from: string): AsyncGenerator<RunEvent> {
  let isReceived = false
  for await (const event of runtime.runs.follow(runId)) {
    isReceived ||= event.type === 'prompt.received' && event.from === from
    if (isReceived) yield event
    if (isReceived && event.type === 'run.suspended') return
  }
}

/** A thread, with what its runs wait for. */
export interface ReadThread {
  readonly messages: readonly Message[]
  readonly approvals: readonly Approval[]
  readonly waits: readonly Wait[]
}

const PAGE = 1000

/** Reads a whole thread. Rejects with NotFoundError, also for a thread of another tenant. */
export async function readThread(runtime: DeskRuntime, threadId: string): Promise<ReadThread> {
  const messages = await allOf((page) => runtime.threads.messages(threadId, page))
  const runIds = runsWithOpenCalls(messages)
  const waits = await Promise.all(runIds.map((runId) => allOf((page) => runtime.waits.list({ runId, ...page }))))
  const approvals = runIds.length === 0 ? [] : await allOf((page) => runtime.approvals.pending(page))
  return { messages, approvals, waits: waits.flat() }
}

/** Runs whose calls have no result yet: suspended ones, and completed ones of which a call still waits. */
function runsWithOpenCalls(messages: readonly Message[]): string[] {
  const open = new Map<string, string>()
  for (const { runId, parts } of messages) {
    for (const part of parts) {
      if (part.type === 'tool-call' && runId !== undefined) open.set(part.callId, runId)
      if (part.type === 'tool-result' && part.state !== 'waiting') open.delete(part.callId)
    }
  }
  return [...new Set(open.values())]
}

async function allOf<T>(list: (page: { limit: number; cursor?: string }) => Promise<Page<T>>): Promise<T[]> {
  const all: T[] = []
  let cursor: string | undefined
  do {
    const page = await list({ limit: PAGE, ...(cursor === undefined ? {} : { cursor }) })
    all.push(...page.items)
    cursor = page.cursor
  } while (cursor !== undefined)
  return all
}

/** Statuses of runs that Stop ends. */
const inProgress: ReadonlySet<string> = new Set(['queued', 'running', 'interrupted', 'suspended'])

/** Cancels what runs and waits in a thread; what a model has said so far stays. */
export async function stopAll({ runs }: DeskRuntime, threadId: string): Promise<void> {
  const { items } = await runs.list({ threadId, limit: PAGE })
  for (const { runId, status } of items) if (inProgress.has(status)) await runs.cancel(runId)
}
