import { hasEnded } from '../../../common/run-statuses.ts'
import { unlessGone } from '../../../inspect/view/gone.ts'
import type { Runtime } from '../../../tenant/runtime.ts'
import type { JournaledEvent } from '../../../types/events.ts'
import type { RunSummary } from '../../../types/runs.ts'
import { Exit, type Outcome } from '../../command.ts'

/** Does something to a run. */
export type RunAct = (runtime: Runtime, runId: string) => Promise<Outcome>

/** Makes a run due that can go on, so that a host takes it up: this process has neither its models nor its tools. */
export const resumeRun: RunAct = async (runtime, runId) => {
  const run = await unlessGone(runtime.runs.get(runId))
  if (run === undefined) return noRun
  if (hasEnded(run.status)) return refused(run, `This run has ended: it is ${run.status}.`)
  if (run.status === 'running') return refused(run, 'A process works at this run.')
  const open = run.status === 'suspended' ? await openOf(runtime, runId) : []
  if (open.length > 0) return refused(run, `This run still waits for ${open.join(', ')}.`)
  const { TenantRuntime } = await import('../../../tenant/runtime.ts')
  await TenantRuntime.starterOf(runtime as InstanceType<typeof TenantRuntime>).wake(runId)
  const lines = [
    `due: ${runId}`,
    'A host takes it up: one that runs on this store within seconds, else the next that starts. This command has no models and tools.',
  ]
  return { exit: Exit.holds, lines, json: { run, due: true } }
}

/** Ends a run. */
export const cancelRun: RunAct = async (runtime, runId) => {
  const before = await unlessGone(runtime.runs.get(runId))
  if (before === undefined) return noRun
  if (hasEnded(before.status)) return refused(before, `This run has ended: it is ${before.status}.`)
  await runtime.runs.cancel(runId)
  const run = await runtime.runs.get(runId)
  // It may have ended by itself meanwhile.
  if (run.status !== 'cancelled') return refused(run, `This run has ended: it is ${run.status}.`)
  return { exit: Exit.holds, lines: [`cancelled: ${runId}`], json: { run } }
}

/** The outcome for every id that is no run of the tenant. */
export const noRun: Outcome = {
  exit: Exit.doesNotHold,
  lines: ['There is no run with this id for this name.'],
  json: { run: null },
}

function refused(run: RunSummary, message: string): Outcome {
  return { exit: Exit.doesNotHold, lines: [message], json: { run, due: false } }
}

/** The ids of what a suspended run waits for, or none if any of it has ended. */
async function openOf({ traces, approvals, waits }: Runtime, runId: string): Promise<string[]> {
  const [last] = (await traces.list({ runId, limit: 1 })).items as JournaledEvent[]
  if (last?.type !== 'run.suspended') return []
  const asked = last.approvals.map(async ({ approvalId }) => {
    const approval = await unlessGone(approvals.get(approvalId))
    return { id: approvalId, isOpen: approval?.status === 'pending' }
  })
  const waited = (last.waits ?? []).map(async ({ waitId }) => {
    const wait = await unlessGone(waits.get(waitId))
    return { id: waitId, isOpen: wait?.status === 'open' }
  })
  const all = await Promise.all([...asked, ...waited])
  return all.every(({ isOpen }) => isOpen) ? all.map(({ id }) => id) : []
}
