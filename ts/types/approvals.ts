import type { JsonValue } from './json.ts'
import type { Page, PageOptions } from './page.ts'
import type { Kind, Tenant, TokenUsage } from './tenant.ts'

/** Status of an approval. Only a pending one can be decided. */
export type ApprovalStatus = 'pending' | 'approved' | 'rejected' | 'expired' | 'withdrawn'

/** Final status of an approval. */
export type ApprovalDecision = 'approved' | 'rejected' | 'expired' | 'withdrawn'

/** Subject of an approval: one call of a tool, or a plan at the version that was current. */
export type ApprovalSubject =
  | { readonly tool: string; readonly input: JsonValue }
  | { readonly planId: string; readonly planHash: string }

/** Rule under which an approval is decided. It is fixed when the approval is requested. */
export interface ApprovalRule {
  /** The actors who may decide. Absent: every actor. */
  readonly to?: readonly string[]
  /** How many different actors must approve. One rejection rejects. */
  readonly quorum: number
  /** Whoever asked may not decide: `requesters`. */
  readonly notBy?: 'requester'
  /** With `notBy`: the actors who asked, of the run's request, of prompts handed to the run, and of runs that it goes on with. */
  readonly requesters?: readonly string[]
}

/** A rule as the host asks for it. */
export interface ApprovalRuleRequest {
  /** The actor who may decide, or a list of 1 to 100. Default: every actor. */
  readonly to?: string | readonly string[]
  /** How many different actors must approve, 1 to 100. Default: 1. */
  readonly quorum?: number
  /** Whoever asked may neither approve nor reject. */
  readonly notBy?: 'requester'
}

/** Answer of `needsApproval`: whether a person must approve the call, and under which rule. Default rule: every actor may decide alone. */
export type ApprovalNeed = boolean | ({ readonly required: boolean } & ApprovalRuleRequest)

/** One approval of those that a rule asks for. */
export interface ApprovedBy {
  readonly actor: string
  readonly reason?: string
  /** Epoch milliseconds. */
  readonly at: number
}

/** A request for a person's decision. Times are epoch milliseconds. */
export interface Approval {
  readonly approvalId: string
  /** The run that waits for it, if one does. */
  readonly runId?: string
  readonly threadId?: string
  readonly status: ApprovalStatus
  readonly subject: ApprovalSubject
  /** The input with which the tool is called instead: a person edited it before they approved. */
  readonly editedInput?: JsonValue
  /** 64 hex digits: hash of the whole subject and of the rule. The tool runs with exactly the hashed bytes, or with the edited input. */
  readonly subjectHash: string
  /** Who may decide, and how many must approve. Absent: every actor may decide alone. */
  readonly rule?: ApprovalRule
  /** The actors who have approved under the rule so far. */
  readonly approvedBy?: readonly ApprovedBy[]
  /** The requester. */
  readonly requestedBy?: string
  readonly createdAt: number
  /** Time after which it can no longer be decided. */
  readonly expiresAt: number
}

/** A decision in the ledger. Times are epoch milliseconds. */
export interface ApprovalRecord {
  /** Its place in the ledger, from 0. */
  readonly sequence: number
  readonly approvalId: string
  readonly decision: ApprovalDecision
  /** The actor who decided, as the host named them; `null` for an expired or withdrawn approval. */
  readonly actor: string | null
  /** The actor's reason. */
  readonly reason?: string
  /** The `subjectHash` of the approval. */
  readonly subjectHash: string
  /** 64 hex digits: the same hash with the edited input in the place of the one that was asked about. Absent: it was not edited. */
  readonly editedHash?: string
  /** The rule under which it was decided, if it had one. */
  readonly rule?: ApprovalRule
  /** The actors who approved under the rule; with a rejection, those who had approved before. */
  readonly approvedBy?: readonly ApprovedBy[]
  /** The requester. */
  readonly requestedBy?: string
  readonly requestedAt: number
  readonly decidedAt: number
}

/** State of one tenant's ledger, signed by the store. Keep it elsewhere: it proves later that no record was removed. */
export interface Checkpoint {
  /** A C2SP tlog-checkpoint: origin, size and root, signed with the store's Ed25519 key. */
  readonly note: string
  /** Number of records. */
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
  /** The sibling hashes from the record to the root, in base64, in the order of RFC 9162. */
  readonly path: readonly string[]
}

/** Shows that a ledger begins with all of an earlier one. Plain JSON; checked by {@link verifyConsistency}. */
export interface ConsistencyProof {
  readonly from: Checkpoint
  readonly to: Checkpoint
  /** The hashes of RFC 9162, section 2.1.4.1, in base64. */
  readonly path: readonly string[]
}

/** Result of a check of a tenant's whole ledger. */
export interface VerifyReport {
  /** Whether there are no problems. */
  readonly ok: boolean
  /** Number of records. */
  readonly size: number
  /** The problems; `sequence` is `null` for a problem that concerns no single record. */
  readonly problems: readonly { readonly sequence: number | null; readonly problem: string }[]
}

/** Receipt for an erased tenant, signed by the store. Plain JSON; {@link verifyReceipt} checks it. */
export interface EraseReceipt {
  readonly tenant: Tenant
  /** Epoch milliseconds. */
  readonly erasedAt: number
  /** Items and bytes of each kind. */
  readonly storage: { readonly [K in Kind]: { readonly items: number; readonly bytes: number } }
  /** Tokens used by its models in all runs, by model. Absent if the counts were damaged. */
  readonly tokens: Readonly<Record<string, TokenUsage>>
  /** The last state of the approval ledger, if it had records. */
  readonly checkpoint?: Checkpoint
  /** Whether all rows and files are gone. The keys are, in any case. */
  readonly complete: boolean
  /** Known copies that an erase does not reach, such as backups, until the root key is rotated. */
  readonly residues: readonly string[]
  /** The receipt without this member as RFC 8785 JSON, signed with the store's Ed25519 key. */
  readonly note: string
}

/** Subject of a requested approval: a tool with this input (at most 1 MiB), or a plan at its current version. */
export type ApprovalQuestion = { readonly tool: string; readonly input: JsonValue } | { readonly planId: string }

/** A person's decision about an approval. */
export interface ApprovalResponse {
  readonly decision: 'approve' | 'reject'
  /** The actor who decides, as the host names them; 1 to 1,024 bytes. The host must verify the actor. */
  readonly actor: string
  /** The reason; at most 16 KiB. */
  readonly reason?: string
  /**
   * With `approve`: the input with which the tool is called instead of the one that was asked about. It must fit the tool's schema, and have at
   * most 1 MiB. Refused for a plan, and if the rule asks for more than one person: they must all approve the same.
   */
  readonly input?: JsonValue
}

/** Answer to an approval that counts, while its rule asks for more actors: nothing is decided yet. */
export interface ApprovalProgress {
  readonly decision: 'pending'
  /** The approval with everyone who has approved so far. */
  readonly approval: Approval
}

/**
 * Approvals by people, and the ledger of their decisions: append-only, kept after a run, and provable to a third party.
 * Each approval is decided once. The next access to an expired approval records its expiry.
 */
export interface Approvals {
  /**
   * Requests an approval. A plan is bound to its newest version: if it changes, the approval is withdrawn.
   *
   * @param options `requestedBy`: the requester, 1 to 1,024 bytes · `ttlMs`: milliseconds until it expires, 7 days by default ·
   *   `rule`: who may decide, and how many must approve
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
    options?: { readonly requestedBy?: string; readonly ttlMs?: number; readonly rule?: ApprovalRuleRequest },
  ): Promise<Approval>
  /** Returns an approval of any status. Rejects with NotFoundError. */
  get(approvalId: string): Promise<Approval>
  /** Returns pending approvals, newest first. A page of large ones may be shorter than `limit`. */
  pending(options?: PageOptions): Promise<Page<Approval>>
  /**
   * Decides an approval, once: the approval, the ledger and the status of its plan change in one commit. If its rule asks for more
   * actors, an approval is noted and the answer says `pending`; the same actor's again changes nothing and has the same answer.
   *
   * @throws ApprovalClosedError (rejected) if it was decided, has expired or was withdrawn; ApprovalForbiddenError if its rule does
   *   not let the actor decide; NotFoundError; InvalidInputError, which also says why an edited `input` is refused: the approval stays
   *   pending then; QuotaExceededError if the tenant's bytes do not allow the edited input
   */
  respond(approvalId: string, response: ApprovalResponse): Promise<ApprovalRecord | ApprovalProgress>
  /** Returns the ledger, oldest first. A page may be shorter than `limit`. Rejects with StoreCorruptError if a record is missing or altered. */
  history(options?: PageOptions): Promise<Page<ApprovalRecord>>
  /** Signs the current state of the ledger. Keep it elsewhere: `verify({ against })` then detects a rollback. */
  checkpoint(): Promise<Checkpoint>
  /** Returns a proof, for `verifyInclusion`, that a record is in the ledger. Rejects with NotFoundError. */
  prove(sequence: number): Promise<InclusionProof>
  /** Returns a proof, for `verifyConsistency`, that the ledger begins with all records of an earlier checkpoint. */
  proveConsistency(from: Checkpoint): Promise<ConsistencyProof>
  /**
   * Reads the whole ledger and reports removed, changed or reordered records and rollbacks; with `against`, also a rollback
   * past that checkpoint. Rejects with InvalidInputError for a checkpoint of another store or tenant.
   */
  verify(options?: { readonly against?: Checkpoint }): Promise<VerifyReport>
}

/** Answer of `approve`: a decision, or `defer`, which suspends the run. */
export type ApproverAnswer = ApprovalResponse | { readonly decision: 'defer' }
