import { assertNumber, assertObject, assertSize, assertText, jsonText } from '../arguments/checks.ts'
import { assertId } from '../arguments/ids.ts'
import { type Checks, option, readOptions } from '../arguments/options.ts'
import { strictJson } from '../arguments/strict-json.ts'
import { wordOf } from '../common/shown-values.ts'
import { InvalidInputError } from '../errors/index.ts'
import type {
  Approval,
  ApprovalRecord,
  Checkpoint,
  ConsistencyProof,
  InclusionProof,
  VerifyReport,
} from '../ledger/index.ts'
import type { Message } from '../native/message.ts'
import { Operation } from '../native/operations.ts'
import { json, noArguments, type Session, type Write } from '../session/session.ts'
import { idWriter, pageWriter } from '../session/writers.ts'
import type {
  ApprovalProgress,
  ApprovalQuestion,
  ApprovalResponse,
  ApprovalRuleRequest,
  Approvals,
} from '../types/approvals.ts'
import type { Page, PageOptions } from '../types/page.ts'

const APPROVE = 1
const REJECT = 2

const requestChecks: Checks<RequestOptions> = { requestedBy: option.text, ttlMs: option.number, rule: option.object }
const responseChecks: Checks<ApprovalResponse> = { decision: option.any, actor: option.any, reason: option.text }
const ruleMembers: readonly (keyof ApprovalRuleRequest)[] = ['to', 'quorum', 'notBy']
const verifyChecks: Checks<VerifyOptions> = { against: option.any }

type RequestOptions = NonNullable<Parameters<Approvals['request']>[1]>
type VerifyOptions = NonNullable<Parameters<Approvals['verify']>[0]>

export class TenantApprovals implements Approvals {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  request(subject: ApprovalQuestion, options: RequestOptions = {}): Promise<Approval> {
    const prepare = () => {
      assertObject(subject, 'The subject')
      const { requestedBy = '', ttlMs, rule } = readOptions(options, requestChecks)
      const text = jsonText(subject, 'The subject')
      assertText(text, 'The subject')
      assertSize(text.length)
      const ruleText = rule === undefined ? '' : strictJson(rule, 'rule', ruleMembers)
      return (message: Message) => message.text(text).text(requestedBy).optionalNumber(ttlMs).text(ruleText)
    }
    return this.#session.call(Operation.approvalRequest, prepare, json<Approval>)
  }

  get(approvalId: string): Promise<Approval> {
    return this.#session.call(Operation.approvalGet, () => idWriter('approval', approvalId), json<Approval>)
  }

  pending(options: PageOptions = {}): Promise<Page<Approval>> {
    return this.#session.call(Operation.approvalPending, () => pageWriter(options), json<Page<Approval>>)
  }

  respond(approvalId: string, response: ApprovalResponse): Promise<ApprovalRecord | ApprovalProgress> {
    const prepare = () => {
      const { decision, actor, reason = '' } = readOptions(response, responseChecks, 'The response')
      if (decision !== 'approve' && decision !== 'reject') {
        throw new InvalidInputError(`decision must be 'approve' or 'reject', not ${wordOf(decision)}.`)
      }
      assertText(actor, 'actor')
      if (actor === '') throw new InvalidInputError('actor must not be empty: the ledger says who decided.')
      assertId('approval', approvalId)
      const code = decision === 'approve' ? APPROVE : REJECT
      return (message: Message) => message.text(approvalId).u8(code).text(actor).text(reason)
    }
    return this.#session.call(Operation.approvalRespond, prepare, json<ApprovalRecord | ApprovalProgress>)
  }

  history(options: PageOptions = {}): Promise<Page<ApprovalRecord>> {
    return this.#session.call(Operation.approvalHistory, () => pageWriter(options), json<Page<ApprovalRecord>>)
  }

  checkpoint(): Promise<Checkpoint> {
    return this.#session.call(Operation.approvalCheckpoint, noArguments, json<Checkpoint>)
  }

  prove(sequence: number): Promise<InclusionProof> {
    const prepare = () => {
      assertNumber(sequence, 'sequence')
      return (message: Message) => message.optionalNumber(sequence)
    }
    return this.#session.call(Operation.approvalProve, prepare, json<InclusionProof>)
  }

  proveConsistency(from: Checkpoint): Promise<ConsistencyProof> {
    const prepare = () => checkpointWriter(from)
    return this.#session.call(Operation.approvalProveConsistency, prepare, json<ConsistencyProof>)
  }

  verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    const prepare = () => {
      const { against } = readOptions(options, verifyChecks)
      return against === undefined ? (message: Message) => message.text('') : checkpointWriter(against)
    }
    return this.#session.call(Operation.approvalVerify, prepare, json<VerifyReport>)
  }
}

function checkpointWriter(checkpoint: Checkpoint): Write {
  assertObject(checkpoint, 'A checkpoint')
  const text = jsonText(checkpoint, 'The checkpoint')
  assertText(text, 'The checkpoint')
  assertSize(text.length)
  return (message) => message.text(text)
}
