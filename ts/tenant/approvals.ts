import { assertNumber, assertObject, assertSize, assertText, jsonText, wholeJsonText } from '../arguments/checks.ts'
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
import { issuesText } from '../runs/host/tool-call.ts'
import { json, noArguments, type Session, type Write } from '../session/session.ts'
import { idWriter, pageWriter } from '../session/writers.ts'
import type { StandardSchema } from '../spec/schema/schema.ts'
import type {
  ApprovalProgress,
  ApprovalQuestion,
  ApprovalResponse,
  ApprovalRuleRequest,
  Approvals,
} from '../types/approvals.ts'
import type { JsonValue } from '../types/json.ts'
import type { Page, PageOptions } from '../types/page.ts'

const APPROVE = 1
const REJECT = 2

const requestChecks: Checks<RequestOptions> = { requestedBy: option.text, ttlMs: option.number, rule: option.object }
const responseChecks: Checks<ApprovalResponse> = {
  decision: option.any,
  actor: option.any,
  reason: option.text,
  input: option.any,
}
const ruleMembers: readonly (keyof ApprovalRuleRequest)[] = ['to', 'quorum', 'notBy']
const verifyChecks: Checks<VerifyOptions> = { against: option.any }

type RequestOptions = NonNullable<Parameters<Approvals['request']>[1]>
type VerifyOptions = NonNullable<Parameters<Approvals['verify']>[0]>

export class TenantApprovals implements Approvals {
  readonly #session: Session
  readonly #inputSchema: (tool: string) => StandardSchema | undefined

  /** @param inputSchema the schema of a tool that validates more than JSON Schema can say */
  constructor(session: Session, inputSchema: (tool: string) => StandardSchema | undefined) {
    this.#session = session
    this.#inputSchema = inputSchema
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
    if (typeof response === 'object' && response !== null && 'input' in response) {
      return this.#respondEdited(approvalId, response)
    }
    const prepare = () => readResponse(approvalId, response).write
    return this.#session.call(Operation.approvalRespond, prepare, json<ApprovalRecord | ApprovalProgress>)
  }

  /** The tool's own schema validates an edited input here, as it does that of a call; the core checks the rest. */
  async #respondEdited(approvalId: string, response: ApprovalResponse): Promise<ApprovalRecord | ApprovalProgress> {
    this.#session.assertOpen()
    const { write, input } = readResponse(approvalId, response)
    if (input !== undefined) await this.#checkInput(approvalId, input.value)
    return await this.#session.submit(Operation.approvalRespond, write, json<ApprovalRecord | ApprovalProgress>)
  }

  async #checkInput(approvalId: string, input: JsonValue): Promise<void> {
    const { status, subject } = await this.get(approvalId)
    const schema = status === 'pending' && 'tool' in subject ? this.#inputSchema(subject.tool) : undefined
    if (schema === undefined || !('tool' in subject)) return
    const refused = `The edited input does not fit the schema of the tool ${subject.tool}`
    const outcome = await validated(schema, input, refused)
    if (outcome.issues !== undefined) throw new InvalidInputError(`${refused}: ${issuesText(outcome.issues)}`)
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

/** Reads a response once, and returns what writes it, and the edited input, if there is one. */
function readResponse(
  approvalId: string,
  response: ApprovalResponse,
): { readonly write: Write; readonly input?: { readonly value: JsonValue } } {
  const { decision, actor, reason = '', input } = readOptions(response, responseChecks, 'The response')
  if (decision !== 'approve' && decision !== 'reject') {
    throw new InvalidInputError(`decision must be 'approve' or 'reject', not ${wordOf(decision)}.`)
  }
  assertText(actor, 'actor')
  if (actor === '') throw new InvalidInputError('actor must not be empty: the ledger says who decided.')
  const text = input === undefined ? '' : wholeJsonText(input, 'input')
  assertText(text, 'input')
  assertSize(text.length)
  assertId('approval', approvalId)
  const code = decision === 'approve' ? APPROVE : REJECT
  const write: Write = (message) => message.text(approvalId).u8(code).text(actor).text(reason).text(text)
  // What is validated is what is sent.
  return text === '' ? { write } : { write, input: { value: JSON.parse(text) as JsonValue } }
}

/** @throws InvalidInputError for a schema that fails, without saying whether the input fits */
async function validated(
  schema: StandardSchema,
  input: JsonValue,
  refused: string,
): Promise<Awaited<ReturnType<StandardSchema['~standard']['validate']>>> {
  try {
    return await schema['~standard'].validate(input)
  } catch (cause) {
    throw new InvalidInputError(`${refused}: the schema failed, and did not say whether it fits.`, { cause })
  }
}

function checkpointWriter(checkpoint: Checkpoint): Write {
  assertObject(checkpoint, 'A checkpoint')
  const text = jsonText(checkpoint, 'The checkpoint')
  assertText(text, 'The checkpoint')
  assertSize(text.length)
  return (message) => message.text(text)
}
