import type { RunStatus } from '../types/runs.ts'

/** A forgotten status does not compile. */
const all: { readonly [Status in RunStatus]: true } = {
  queued: true,
  running: true,
  interrupted: true,
  suspended: true,
  completed: true,
  limited: true,
  failed: true,
  cancelled: true,
  steered: true,
}

/** Every status of a run, in the order of its life. */
export const runStatuses = Object.keys(all) as readonly RunStatus[]

/** Whether a run of this status cannot go on any more. */
export function hasEnded(status: RunStatus): boolean {
  return (
    status === 'completed' ||
    status === 'limited' ||
    status === 'failed' ||
    status === 'cancelled' ||
    status === 'steered'
  )
}
