import type { RunResult } from '../types/runs.ts'

/**
 * Why a run could go on. `settled`: it was suspended, and what it waited for has ended, such as an approval or a wait, or a prompt was
 * handed to it (`whenBusy: 'steer'`). `interrupted`: its process ended or gave it up. `queued`: its turn or its time has come.
 */
export type WorkReason = 'settled' | 'interrupted' | 'queued'

/** Activity of a host, for metrics. */
export type Activity =
  | {
      /**
       * The host finds a suspended run that can go on, or a completed one whose calls still waited, and takes it up next, or once there is
       * room (`run.taken` with the reason `settled`). A wait of the run was settled or cancelled, has expired, or its time has come; an
       * approval was decided or has expired; or a prompt was handed to it (`whenBusy: 'steer'`). It is one event for all that has happened by
       * then. A run that could not be taken up, or that another process had found and left, is found again, with an event of its own. A
       * queued or interrupted run has `run.taken` alone.
       */
      readonly type: 'wait.due'
      readonly tenant: string
      readonly runId: string
      /** Milliseconds since the run could go on. They grow each time that the run is found again. */
      readonly lateMs: number
    }
  | {
      /** The host takes up a run that could go on. */
      readonly type: 'run.taken'
      readonly tenant: string
      readonly runId: string
      readonly reason: WorkReason
      /** Milliseconds since it could. */
      readonly waitedMs: number
    }
  | {
      /** A run that was taken up has ended or waits again, was given up, or could not go on. */
      readonly type: 'run.ended'
      readonly tenant: string
      readonly runId: string
      readonly status: RunResult['status'] | 'released' | 'refused'
      /** Milliseconds since it was taken up. */
      readonly durationMs: number
    }
  | {
      /** A tenant's handle was opened, or closed because others were used since. */
      readonly type: 'tenant.opened' | 'tenant.closed'
      readonly tenant: string
    }
  | {
      /**
       * This process has removed what has expired from the store: once a minute, or by `store.sweep()`. Of several processes on one
       * store, one does it for all.
       */
      readonly type: 'sweep'
      /** Expired rows that were removed, with the journals of deleted threads and runs. */
      readonly removed: number
      /** Approvals that were recorded as expired. */
      readonly expiredApprovals: number
      /** Interrupted erases that were finished. */
      readonly erased: number
      /** Milliseconds that it took. */
      readonly durationMs: number
    }

/** Source of an error passed to a host's `onError`. */
export interface HostErrorSource {
  /** The tenant's `resourceId`, if the error is about one. */
  readonly tenant?: string
  readonly runId?: string
  readonly callId?: string
  readonly tool?: string
}

/** Tells the host of an error that no caller gets. Never throws. */
export type Tell = (error: unknown, about: HostErrorSource) => void
