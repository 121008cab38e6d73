import type { JsonSchema, JsonValue } from './json.ts'
import type { Page } from './page.ts'

/** What a call waits for: a person's answer, something outside, or a moment. */
export type WaitKind = 'answer' | 'event' | 'time'

/** Status of a wait. A `settled`, `expired` or `cancelled` one is closed. */
export type WaitStatus = 'open' | 'settled' | 'expired' | 'cancelled'

/** A call of a run that waits. Times are epoch milliseconds. */
export interface Wait {
  /** `wait_` and 32 characters. */
  readonly waitId: string
  readonly kind: WaitKind
  readonly runId: string
  readonly threadId: string
  readonly callId: string
  readonly tool: string
  /** Of an answer: what the person is asked. */
  readonly question?: string
  /** The JSON Schema of what it is settled with. */
  readonly schema?: JsonSchema
  /** The answers to choose from. */
  readonly choices?: readonly string[]
  /** Of an event: its name. */
  readonly name?: string
  /** Who is asked, as the tool named them. */
  readonly to?: string
  readonly status: WaitStatus
  readonly createdAt: number
  /** Time after which it can no longer be settled. */
  readonly expiresAt: number
  /** Of a time: when it comes. */
  readonly dueAt?: number
}

/** A wait with its outcome, as long as its run has not taken that. */
export interface WaitRecord extends Wait {
  readonly value?: JsonValue
  readonly error?: WaitError
  /** Who settled it. */
  readonly actor?: string
  readonly settledAt?: number
}

/** An error that a wait is settled with. Together at most 4 KiB. */
export interface WaitError {
  readonly code: string
  readonly message: string
}

/** Outcome of a wait: a value of at most 64 KiB of JSON, or an error. */
export type WaitOutcome = { readonly value: JsonValue } | { readonly error: WaitError }

/**
 * Calls that wait. A tool's handler opens a wait by returning `waitFor.answer`, `.event` or `.time`; settling it lets the run go on.
 */
export interface Waits {
  /** Returns waits, newest first: open ones, and closed ones for as long as `retention.waits` says. A page may be shorter than `limit`. */
  list(options?: {
    readonly runId?: string
    readonly kind?: WaitKind
    readonly limit?: number
    readonly cursor?: string
  }): Promise<Page<WaitRecord>>
  /** Returns a wait of any status. Rejects with NotFoundError. */
  get(waitId: string): Promise<WaitRecord>
  /**
   * Settles a wait for an answer or an event, once. The same outcome by the same actor again resolves to the same record.
   * The run goes on where a host takes it up, or with `runs.resume`.
   *
   * @throws WaitClosedError (rejected) if it was settled with something else, has expired or was cancelled; InvalidInputError
   *   for a value that its schema or its choices refuse; NotFoundError
   *
   * @example
   * ```ts
   * const [wait] = (await runtime.waits.list({ kind: 'answer' })).items
   * if (wait) await runtime.waits.settle(wait.waitId, { value: 'Yes' }, { actor: 'kim@example.com' })
   * ```
   */
  settle(waitId: string, outcome: WaitOutcome, options?: { readonly actor?: string }): Promise<WaitRecord>
  /** Cancels a wait: its call fails with WAIT_CANCELLED. Resolves to `false` if it is closed already. Rejects with NotFoundError. */
  cancel(waitId: string): Promise<boolean>
}

/** What a tool's handler returns to leave its call open: made by `waitFor`. */
export interface OpenCall {
  readonly waitsFor: WaitKind
}

/** How a wait ended, for a handler that is called again. */
export interface Resumed {
  /** `expired`: nobody settled it in time. */
  readonly kind: WaitKind | 'expired'
  readonly value?: JsonValue
  readonly error?: WaitError
  /** Who settled it. */
  readonly actor?: string
  /** How long the call waited, in milliseconds. */
  readonly waitedMs: number
  /** Which of the call's waits it was, from 1. */
  readonly turn: number
}
