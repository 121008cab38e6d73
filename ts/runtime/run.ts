import type { BailiwickError } from '../errors/index.ts'
import type { Part } from '../spec/callbacks.ts'
import type { RunLimits } from '../spec/limits.ts'
import type { Tenant } from '../spec/tenant.ts'
import type { TokenUsage } from './types.ts'

/** What is asked of a runtime's agents. */
export interface QueryRequest {
  readonly prompt: string | readonly Part[]
  /** The caller's own or ours; created on first use. */
  readonly threadId?: string
  /**
   * The tenant that came with the request, if one did. It is only ever compared: if it differs from the runtime's, the
   * run rejects with TenantMismatchError before any I/O.
   */
  readonly tenant?: string | Tenant
  /** Who in the tenant asks. */
  readonly actor?: string
  readonly signal?: AbortSignal
  readonly limits?: RunLimits
}

/** An event of a run. */
export interface RunEvent {
  readonly type: string
  readonly runId: string
  readonly sequence: number
  /** Epoch milliseconds. */
  readonly at: number
}

/** What came of a run. */
export interface RunResult<O = string> {
  readonly runId: string
  readonly threadId: string
  readonly status: 'completed'
  readonly text: string
  readonly output: O
  readonly usage: { readonly [model: string]: TokenUsage }
}

/** A run: it goes on from the call on, whether anybody iterates it or not. */
export interface Run<O = string> extends AsyncIterable<RunEvent> {
  readonly runId: string
  readonly threadId?: string
  /** Rejects with the package's errors only. */
  result(): Promise<RunResult<O>>
  cancel(): void
}

/** A run that was refused before it began. */
export class RefusedRun implements Run<never> {
  /** Empty: nothing was begun that could be named. */
  readonly runId = ''
  readonly #error: BailiwickError

  constructor(error: BailiwickError) {
    this.#error = error
  }

  async result(): Promise<never> {
    throw this.#error
  }

  cancel(): void {}

  // biome-ignore lint/correctness/useYield: there is no event before the error
  async *[Symbol.asyncIterator](): AsyncGenerator<RunEvent> {
    throw this.#error
  }
}
