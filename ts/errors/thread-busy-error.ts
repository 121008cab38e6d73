import { BailiwickError, hasCode } from './bailiwick-error.ts'

/** The run that keeps others from its thread. */
export interface BusyRun {
  readonly runId: string
  /** Its status at that time. Wait for a running or queued run, resume an interrupted one, decide the approvals of a suspended one; or cancel it. */
  readonly status: 'queued' | 'running' | 'interrupted' | 'suspended'
}

/** Another run is writing this thread, or waits for it. Wait for it, resume it, cancel it, or ask with `whenBusy`. */
export class ThreadBusyError extends BailiwickError {
  override readonly name = 'ThreadBusyError'
  readonly code = 'THREAD_BUSY'
  /** The run that has the thread. `undefined` where appends keep each other from it. */
  readonly runId: string | undefined
  /** Status of that run at that time. */
  readonly status: BusyRun['status'] | undefined

  constructor(message: string, run?: BusyRun, options?: ErrorOptions) {
    super(message, options)
    this.runId = run?.runId
    this.status = run?.status
  }

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is ThreadBusyError {
    return hasCode(value, 'THREAD_BUSY')
  }
}
