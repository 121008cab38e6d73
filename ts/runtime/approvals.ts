import { type Checks, option, readOptions } from '../arguments/options.ts'
import { InvalidInputError } from '../errors/index.ts'
import type {
  Approval,
  ApprovalRecord,
  Checkpoint,
  ConsistencyProof,
  InclusionProof,
  VerifyReport,
} from '../ledger/index.ts'
import type { Bridge } from '../native/bridge.ts'
import type { Answer, Message } from '../native/message.ts'
import { Operation } from '../native/operations.ts'
import type { JsonValue } from '../spec/json-value.ts'
import { assertNumber, assertObject, assertOpen, assertSize, assertText, jsonText } from './guard.ts'
import type { Handle } from './handle.ts'
import { notFound } from './not-found.ts'
import { type PageOptions, pageWriter } from './page.ts'
import { wordOf } from './shown.ts'
import type { Page } from './types.ts'

const APPROVE = 1
const REJECT = 2

const requestChecks: Checks<RequestOptions> = { requestedBy: option.text, ttlMs: option.number }
const responseChecks: Checks<ApprovalResponse> = { decision: option.any, actor: option.any, reason: option.text }
const verifyChecks: Checks<VerifyOptions> = { against: option.any }

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

type RequestOptions = NonNullable<Parameters<Approvals['request']>[1]>
type VerifyOptions = NonNullable<Parameters<Approvals['verify']>[0]>

/** The approvals of one handle. */
export class TenantApprovals implements Approvals {
  readonly #bridge: Bridge
  readonly #handle: Handle

  constructor(bridge: Bridge, handle: Handle) {
    this.#bridge = bridge
    this.#handle = handle
  }

  async request(subject: ApprovalQuestion, options: RequestOptions = {}): Promise<Approval> {
    assertOpen(this.#handle)
    assertObject(subject, 'The subject')
    const { requestedBy, ttlMs } = readOptions(options, requestChecks)
    const text = jsonText(subject, 'The subject')
    assertText(text, 'The subject')
    assertSize(text.length)
    return await this.#submit(
      Operation.approvalRequest,
      (message) =>
        message
          .text(text)
          .text(requestedBy ?? '')
          .optionalNumber(ttlMs),
      (answer) => answer.json<Approval>(),
    )
  }

  async get(approvalId: string): Promise<Approval> {
    assertOpen(this.#handle)
    if (!isId(approvalId)) throw notFound()
    return await this.#submit(
      Operation.approvalGet,
      (message) => message.text(approvalId),
      (answer) => answer.json<Approval>(),
    )
  }

  async pending(options: PageOptions = {}): Promise<Page<Approval>> {
    assertOpen(this.#handle)
    const write = pageWriter(options)
    return await this.#submit(Operation.approvalPending, write, (answer) => answer.json<Page<Approval>>())
  }

  async respond(approvalId: string, response: ApprovalResponse): Promise<ApprovalRecord> {
    assertOpen(this.#handle)
    const { decision, actor, reason } = readOptions(response, responseChecks, 'The response')
    if (decision !== 'approve' && decision !== 'reject') {
      throw new InvalidInputError(`decision must be 'approve' or 'reject', not ${wordOf(decision)}.`)
    }
    assertText(actor, 'actor')
    if (actor === '') throw new InvalidInputError('actor must not be empty: the ledger says who decided.')
    if (!isId(approvalId)) throw notFound()
    return await this.#submit(
      Operation.approvalRespond,
      (message) =>
        message
          .text(approvalId)
          .u8(decision === 'approve' ? APPROVE : REJECT)
          .text(actor)
          .text(reason ?? ''),
      (answer) => answer.json<ApprovalRecord>(),
    )
  }

  async history(options: PageOptions = {}): Promise<Page<ApprovalRecord>> {
    assertOpen(this.#handle)
    const write = pageWriter(options)
    return await this.#submit(Operation.approvalHistory, write, (answer) => answer.json<Page<ApprovalRecord>>())
  }

  async checkpoint(): Promise<Checkpoint> {
    assertOpen(this.#handle)
    return await this.#submit(
      Operation.approvalCheckpoint,
      () => {},
      (answer) => answer.json<Checkpoint>(),
    )
  }

  async prove(sequence: number): Promise<InclusionProof> {
    assertOpen(this.#handle)
    assertNumber(sequence, 'sequence')
    return await this.#submit(
      Operation.approvalProve,
      (message) => message.optionalNumber(sequence),
      (answer) => answer.json<InclusionProof>(),
    )
  }

  async proveConsistency(from: Checkpoint): Promise<ConsistencyProof> {
    assertOpen(this.#handle)
    const text = checkpointText(from)
    return await this.#submit(
      Operation.approvalProveConsistency,
      (message) => message.text(text),
      (answer) => answer.json<ConsistencyProof>(),
    )
  }

  async verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    assertOpen(this.#handle)
    const { against } = readOptions(options, verifyChecks)
    const text = against === undefined ? '' : checkpointText(against)
    return await this.#submit(
      Operation.approvalVerify,
      (message) => message.text(text),
      (answer) => answer.json<VerifyReport>(),
    )
  }

  #submit<T>(operation: Operation, write: (message: Message) => void, decode: (answer: Answer) => T): Promise<T> {
    return this.#bridge.submit(operation, this.#handle, write, decode)
  }
}

function checkpointText(checkpoint: Checkpoint): string {
  assertObject(checkpoint, 'A checkpoint')
  const text = jsonText(checkpoint, 'The checkpoint')
  assertText(text, 'The checkpoint')
  assertSize(text.length)
  return text
}

/** Whether it can be an id at all. What cannot is not found, like every id that is not this tenant's. */
function isId(id: unknown): id is string {
  return typeof id === 'string' && /^approval_[a-z2-7]{32}$/.test(id)
}
