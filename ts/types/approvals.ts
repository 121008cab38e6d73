import type { JsonValue } from './json.ts'
import type { Kind, TokenUsage } from './limits.ts'
import type { Page, PageOptions } from './page.ts'
import type { Tenant } from './tenant.ts'

/** Where a request for approval stands. Only a pending one can be answered. */
export type ApprovalStatus = 'pending' | 'approved' | 'rejected' | 'expired' | 'withdrawn'

/** How a request for approval ended. */
export type ApprovalDecision = 'approved' | 'rejected' | 'expired' | 'withdrawn'

/** What is asked about: one call of a tool, or a plan as it was when it was asked. */
export type ApprovalSubject =
  | { readonly tool: string; readonly input: JsonValue }
  | { readonly planId: string; readonly planHash: string }

/** A request that a person allow something. Times are epoch milliseconds. */
export interface Approval {
  readonly approvalId: string
  /** The run that waits for it, if one does. */
  readonly runId?: string
  readonly threadId?: string
  readonly status: ApprovalStatus
  readonly subject: ApprovalSubject
  /** 64 hex digits over everything that was asked about; the tool runs exactly the bytes behind it. */
  readonly subjectHash: string
  /** Who asked. */
  readonly requestedBy?: string
  readonly createdAt: number
  /** From when on it can no longer be answered. */
  readonly expiresAt: number
}

/** A decision as the ledger keeps it. Times are epoch milliseconds. */
export interface ApprovalRecord {
  /** Its place in the ledger, from 0. */
  readonly sequence: number
  readonly approvalId: string
  readonly decision: ApprovalDecision
  /** Who decided, as the host named them; `null` if nobody did. */
  readonly actor: string | null
  /** Why, as the actor put it. */
  readonly reason?: string
  /** 64 hex digits, those of the Approval. */
  readonly subjectHash: string
  /** Who asked. */
  readonly requestedBy?: string
  readonly requestedAt: number
  readonly decidedAt: number
}

/** The state of one tenant's ledger, signed by the store. Keep it elsewhere: it shows later that nothing was taken back. */
export interface Checkpoint {
  /** A C2SP tlog-checkpoint: origin, size and root, signed with the store's Ed25519 key. */
  readonly note: string
  /** How many records there are. */
  readonly size: number
  /** The root of the RFC 6962 tree over them, in base64. */
  readonly rootHash: string
}

/** Shows that a record is in the ledger of a checkpoint. Plain JSON; checked by {@link verifyInclusion}. */
export interface InclusionProof {
  readonly checkpoint: Checkpoint
  readonly record: ApprovalRecord
  /** The 32 random bytes that are hashed in front of the record, in base64. */
  readonly opening: string
  /** The hashes beside the way from the record to the root, in base64, in the order of RFC 9162. */
  readonly path: readonly string[]
}

/** Shows that a ledger begins with all of an earlier one. Plain JSON; checked by {@link verifyConsistency}. */
export interface ConsistencyProof {
  readonly from: Checkpoint
  readonly to: Checkpoint
  /** The hashes of RFC 9162, section 2.1.4.1, in base64. */
  readonly path: readonly string[]
}

/** What a check of a tenant's whole ledger found. */
export interface VerifyReport {
  /** Whether there are no problems. */
  readonly ok: boolean
  /** How many records there are. */
  readonly size: number
  /** What is wrong; `sequence` is `null` where it concerns no single record. */
  readonly problems: readonly { readonly sequence: number | null; readonly problem: string }[]
}

/** What was removed when a tenant was erased, signed by the store. Plain JSON; checked by {@link verifyReceipt}. */
export interface EraseReceipt {
  readonly tenant: Tenant
  /** Epoch milliseconds. */
  readonly erasedAt: number
  /** How many items and bytes there were of each kind. */
  readonly storage: { readonly [K in Kind]: { readonly items: number; readonly bytes: number } }
  /** The tokens that its models had used, by model, in all runs. Left out if that could not be read any more, because it was damaged. */
  readonly tokens: Readonly<Record<string, TokenUsage>>
  /** The last state of the approval ledger, if it had records. */
  readonly checkpoint?: Checkpoint
  /** Whether all rows and files are gone. The keys are, in any case. */
  readonly complete: boolean
  /** What is beyond the reach of an erase, such as backups, until the root key is rotated. */
  readonly residues: readonly string[]
  /** The receipt without this member as RFC 8785 JSON, signed with the store's Ed25519 key. */
  readonly note: string
}

/** What is asked: whether a tool may be called with this input (at most 1 MiB), or whether a plan is approved as it is now. */
export type ApprovalQuestion = { readonly tool: string; readonly input: JsonValue } | { readonly planId: string }

/** What a person says about an approval. */
export interface ApprovalResponse {
  readonly decision: 'approve' | 'reject'
  /** Who decides, as the host names them; 1 to 1,024 bytes. Who it is must be the host's to know. */
  readonly actor: string
  /** Why; at most 16 KiB. */
  readonly reason?: string
}

/**
 * Questions to people, and the ledger of what came of them: append-only, kept after a run, and provable to a third party.
 * Each approval is decided once. One whose time has passed gets a record of that the next time anything looks at it.
 */
export interface Approvals {
  /**
   * Asks. A plan is bound to its newest version: should it change, the approval is withdrawn.
   *
   * @param options `requestedBy`: who asks, 1 to 1,024 bytes · `ttlMs`: how long it may be decided, 7 days by default
   * @throws NotFoundError (rejected) for a plan that is not this tenant's, ConflictError for one that runs or has run,
   *   QuotaExceededError (`pendingApprovals`), InvalidInputError
   *
   * @example
   * ```ts
   * const { approvalId } = await runtime.approvals.request({ tool: 'refund', input: { order: 7 } }, { requestedBy: 'bot' })
   * await runtime.approvals.respond(approvalId, { decision: 'approve', actor: 'kim@example.com' })
   * ```
   */
  request(
    subject: ApprovalQuestion,
    options?: { readonly requestedBy?: string; readonly ttlMs?: number },
  ): Promise<Approval>
  /** An approval, pending or not. Rejects with NotFoundError. */
  get(approvalId: string): Promise<Approval>
  /** Approvals that wait for a decision, newest first. A page of large ones may be shorter than `limit`. */
  pending(options?: PageOptions): Promise<Page<Approval>>
  /**
   * Decides, once: the approval, the ledger and the status of the plan that it is about change together.
   *
   * @throws ApprovalClosedError (rejected) if it was decided, has expired or was withdrawn; NotFoundError,
   *   InvalidInputError
   */
  respond(approvalId: string, response: ApprovalResponse): Promise<ApprovalRecord>
  /** The ledger, oldest first. A page may be shorter than `limit`. Rejects with StoreCorruptError if a record is missing or altered. */
  history(options?: PageOptions): Promise<Page<ApprovalRecord>>
  /** Signs the ledger as it is now. Keep it elsewhere: `verify({ against })` then finds whether it was put back. */
  checkpoint(): Promise<Checkpoint>
  /** A proof, for `verifyInclusion`, that a record is in the ledger. Rejects with NotFoundError. */
  prove(sequence: number): Promise<InclusionProof>
  /** A proof, for `verifyConsistency`, that the ledger begins with all of an earlier checkpoint's. */
  proveConsistency(from: Checkpoint): Promise<ConsistencyProof>
  /**
   * Reads the whole ledger and reports what was removed, changed, reordered or put back; with `against`, also a rollback
   * past that checkpoint. It throws InvalidInputError for a checkpoint of another store or tenant.
   */
  verify(options?: { readonly against?: Checkpoint }): Promise<VerifyReport>
}

/** What an approver answers. */
export type ApproverAnswer = ApprovalResponse | { readonly decision: 'defer' }
