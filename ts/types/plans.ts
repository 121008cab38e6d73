import type { JsonValue } from './json.ts'
import type { Page, PageOptions } from './page.ts'

/** Status of a plan. Every new version is a draft. */
export type PlanStatus = 'draft' | 'approved' | 'rejected' | 'executing' | 'completed' | 'failed'

/** One call of a tool that a plan asks for. */
export interface PlanStep {
  /** Unique in its plan; 1 to 256 bytes. */
  readonly id: string
  /** The name of a tool. */
  readonly tool: string
  /** Input of the tool call; `{"$step": "id", "path": "/pointer"}` takes an earlier step's result. */
  readonly input: JsonValue
  /** The ids of the steps that must be done before. */
  readonly dependsOn?: readonly string[]
  /** For people; at most 16 KiB. */
  readonly note?: string
}

/** A plan as it is given to be saved. */
export interface PlanDraft {
  /** The name of a plan type, registered or not. The details of a registered type are checked against its schema. */
  readonly type: string
  /** The caller's own id, 1 to 256 bytes. Without one, a new plan is made under an id of ours. */
  readonly planId?: string
  /** The goal; 1 byte to 16 KiB. */
  readonly goal: string
  /** At most 1,000 steps, whose `dependsOn` must not lead in a circle. */
  readonly steps: readonly PlanStep[]
  readonly details?: JsonValue
}

/** Summary of a plan, as lists return it. Times are epoch milliseconds. */
export interface PlanSummary {
  readonly planId: string
  readonly type: string
  /** The newest version, from 1. */
  readonly version: number
  /** The hash of the newest version. */
  readonly hash: string
  readonly status: PlanStatus
  readonly goal: string
  /** When the first version was saved. */
  readonly createdAt: number
  /** When this version was saved or its status changed last. */
  readonly updatedAt: number
}

/** One version of a plan. */
export interface Plan extends PlanSummary {
  /** The number of this version, from 1. */
  readonly version: number
  /** 64 hex digits: SHA-256 over the RFC 8785 JSON of `{ details?, goal, planId, steps, type, version }`. */
  readonly hash: string
  /** Of an older version, the status that it had when the next was saved. */
  readonly status: PlanStatus
  readonly steps: readonly PlanStep[]
  readonly details?: JsonValue
}

/** The plans of a tenant. A plan is at most 1 MiB of JSON, all its versions together 64 MiB and 1,000. */
export interface Plans {
  /**
   * Saves version 1 of a plan, or the next version of the plan with this `planId`, which is a draft again. It is durable
   * when this resolves. All versions are kept as long as the plan; saving extends them all.
   *
   * @param options `expectedVersion`: the version that the plan must have now, 0 if it must not exist
   * @throws InvalidInputError (rejected) for a malformed plan, ConflictError if the plan has another version,
   *   QuotaExceededError
   *
   * @example
   * ```ts
   * const plan = await runtime.plans.save({ type: 'launch', goal: 'Ship it', steps: [{ id: 'a', tool: 'ship', input: {} }] })
   * await runtime.plans.save({ ...draft, planId: plan.planId }, { expectedVersion: plan.version })
   * ```
   */
  save(plan: PlanDraft, options?: { readonly expectedVersion?: number }): Promise<Plan>
  /** Returns the newest or the given version. Rejects with NotFoundError. */
  load(planId: string, options?: { readonly version?: number }): Promise<Plan>
  /** Plans by their creation, newest first. */
  list(options?: PageOptions): Promise<Page<PlanSummary>>
  /**
   * All versions, oldest first, at most 64 MiB. Rejects with NotFoundError, with StoreCorruptError if one is missing or altered,
   * and with QuotaExceededError before any is read if they do not all fit into `inFlightBytes`: `load` them one by one then.
   */
  history(planId: string): Promise<Plan[]>
}
