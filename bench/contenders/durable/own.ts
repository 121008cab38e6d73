import { openStore, type Run, type Runtime } from 'bailiwick'
import { type Declared, runtimeOf } from '../own-agent.ts'
import type { DurableContender, Task } from './task.ts'

/** bailiwick, in a directory or in memory. */
export function own(name: string, keeps: 'folder' | 'memory', declared: Declared): DurableContender {
  return {
    name,
    keeps,
    run: async (task) => {
      const store = await openStore(keeps === 'memory' ? 'memory:' : `sled:${task.place}`)
      // A call that is made again counts once more.
      const runtime = await runtimeOf(store, { ...task, tenant: 'acme', mostSteps: task.steps * 4, declared })
      task.opened()
      const status = await finish(runtime, task)
      await store.close()
      return status
    },
  }
}

/** Continues what is there, or begins; a person answers what is asked. */
async function finish(runtime: Runtime, task: Task): Promise<string> {
  const first = async (status: 'completed' | 'interrupted' | 'suspended') =>
    (await runtime.runs.list({ status, limit: 1 })).items[0]?.runId
  if ((await first('completed')) !== undefined) return 'completed'
  const interrupted = await first('interrupted')
  const suspended = await first('suspended')
  let run: Run<unknown>
  if (interrupted !== undefined) run = runtime.runs.resume(interrupted)
  else if (suspended !== undefined) run = await answered(runtime, task, suspended)
  else run = runtime.query('go')
  for (;;) {
    const result = await run.result()
    if (result.status !== 'suspended') return result.status
    run = await answered(runtime, task, result.runId)
  }
}

/** Answers what waits for a person, and resumes the run. */
async function answered(runtime: Runtime, task: Task, runId: string): Promise<Run<unknown>> {
  for (const { approvalId, subject } of (await runtime.approvals.pending()).items) {
    const step = 'tool' in subject ? (subject.input as { step: number }).step : Number.NaN
    const decision = task.hasHappened(step, approvalId) ? 'reject' : 'approve'
    await runtime.approvals.respond(approvalId, { decision, actor: 'kim', reason: 'The log of the service says so.' })
  }
  return runtime.runs.resume(runId)
}
