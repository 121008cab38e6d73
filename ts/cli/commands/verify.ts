import { verifyConsistency, verifyInclusion, verifyReceipt } from '../../ledger/index.ts'
import { readNoteKey } from '../../ledger/signed-note.ts'
import type { ApprovalRecord, Checkpoint } from '../../types/approvals.ts'
import { type Command, Exit, type Outcome, UsageError, type Words } from '../command.ts'
import { type Evidence, readEvidence } from '../files/evidence.ts'
import { quoted } from '../printable.ts'

const names = {
  inclusion: 'inclusion proof',
  consistency: 'consistency proof',
  receipt: 'erase receipt',
} as const

/** Checks proofs and receipts with nothing but the store's public key: no store, no addon. */
export const verify: Command = {
  summary: 'Checks a proof of the approval ledger or a receipt of an erase. Needs no store.',
  operands: ['file'],
  options: {
    key: { value: 'verifier key', help: "the store's public key (Store.publicKey), from a source you trust; required" },
    origin: { value: 'origin', help: 'whose ledger it must be: the first line of a checkpoint of that tenant' },
  },
  notes: [
    'The file is what approvals.prove, approvals.proveConsistency or erase gave, as JSON. The command recognises each by its shape.',
    '',
    'Exit codes: 0 it holds, 1 it does not hold, 2 the call is wrong or the file is nothing that can be verified.',
    '',
    'Valid means that the holder of the key signed exactly this. Who an actor really was is for the host to know, and',
    'without --origin the ledger may be that of any tenant of the store.',
    '',
    'Example:',
    '  bailiwick verify proof.json --key "bailiwick/5e5e…+8033c3b7+ARl/ayPh…" --json',
  ].join('\n'),
  run: async ({ operands, options }) => {
    const [key, origin] = [keyOf(options), originOf(options)]
    const evidence = await readEvidence(operands[0] ?? '')
    return describe(evidence, judge(evidence, key, origin))
  },
}

function keyOf({ key }: Words['options']): string {
  if (typeof key !== 'string') throw new UsageError("--key is missing: the store's public key (Store.publicKey).")
  if (readNoteKey(key) === undefined) {
    throw new UsageError('--key is no verifier key: <name>+<8 hex digits>+<base64>, as Store.publicKey gives it.')
  }
  return key
}

function originOf({ origin }: Words['options']): string | undefined {
  if (typeof origin === 'string' && !/^[^\s+]+\/[0-9a-f]{16}$/.test(origin)) {
    throw new UsageError("--origin is no origin: <name of the store's key>/<16 hex digits>, as a checkpoint begins.")
  }
  return origin as string | undefined
}

/** Result of a check: `signed` says whether the key's holder signed it, `asked` whether it is of the expected ledger. */
interface Verdict {
  readonly signed: boolean
  readonly asked: boolean
}

function judge(evidence: Evidence, key: string, origin: string | undefined): Verdict {
  const signed = isSigned(evidence, key)
  return { signed, asked: signed && (origin === undefined || isOf(evidence, origin)) }
}

/** Whether evidence that holds names this ledger, and no other. */
function isOf(evidence: Evidence, origin: string): boolean {
  const ledgers = new Set(ledgersOf(evidence))
  return ledgers.size === 1 && ledgers.has(origin)
}

function isSigned(evidence: Evidence, key: string): boolean {
  if (evidence.kind === 'inclusion') return verifyInclusion(evidence.value, key)
  if (evidence.kind === 'consistency') return verifyConsistency(evidence.value, key)
  return verifyReceipt(evidence.value, key)
}

/** The origins of the checkpoints in evidence that holds. */
function ledgersOf(evidence: Evidence): string[] {
  return checkpointsOf(evidence).map(({ note }) => note.slice(0, note.indexOf('\n')))
}

function checkpointsOf({ kind, value }: Evidence): readonly Checkpoint[] {
  if (kind === 'inclusion') return [value.checkpoint]
  if (kind === 'consistency') return [value.from, value.to]
  return value.checkpoint === undefined ? [] : [value.checkpoint]
}

function describe(evidence: Evidence, { signed, asked }: Verdict): Outcome {
  const { kind } = evidence
  if (!signed) {
    const line = `not valid: this ${names[kind]} does not hold under this key`
    return { exit: Exit.doesNotHold, lines: [line], json: { valid: false, kind, reason: 'proof' } }
  }
  const [origin] = ledgersOf(evidence)
  if (!asked) {
    const line =
      origin === undefined
        ? 'not valid: this erase receipt names no ledger, so it cannot be told whose it is; leave out --origin'
        : `not valid: this ${names[kind]} is signed, but for another ledger than asked for: ${origin}`
    return { exit: Exit.doesNotHold, lines: [line], json: { valid: false, kind, reason: 'origin', origin } }
  }
  const lines = [
    `valid: ${names[kind]}`,
    ...(origin === undefined ? [] : [`  ledger  ${origin}`]),
    ...detailsOf(evidence),
  ]
  return { exit: Exit.holds, lines, json: { valid: true, kind, origin, ...factsOf(evidence) } }
}

/** Returns the statements of valid evidence. */
function factsOf({ kind, value }: Evidence): object {
  if (kind === 'inclusion') return { size: value.checkpoint.size, record: value.record }
  if (kind === 'consistency') return { from: value.from.size, to: value.to.size }
  const { note: _, ...receipt } = value
  return { receipt }
}

function detailsOf({ kind, value }: Evidence): string[] {
  if (kind === 'inclusion') return recordLines(value.record, value.checkpoint.size)
  if (kind === 'consistency') {
    return [`  says    the ledger of ${value.to.size} records begins with all ${value.from.size} of the earlier one`]
  }
  return [
    `  tenant  ${quoted(value.tenant.resourceId)} (version ${quoted(value.tenant.version)})`,
    `  erased  ${time(value.erasedAt)}`,
    `  state   ${value.complete ? 'keys and rows are gone' : 'keys are gone, rows were still being removed'}`,
    ...value.residues.map((residue) => `  beyond  ${quoted(residue)}`),
  ]
}

function recordLines(record: ApprovalRecord, size: number): string[] {
  const { sequence, approvalId, decision, actor, reason, subjectHash, editedHash, decidedAt } = record
  return [
    `  record  number ${sequence} of ${size}, from 0: ${decision}${actor === null ? '' : ` by ${quoted(actor)}`}, ${time(decidedAt)}`,
    ...(reason === undefined ? [] : [`  reason  ${quoted(reason)}`]),
    ...ruleLines(record),
    `  about   ${subjectHash} (${quoted(approvalId)})`,
    ...(editedHash === undefined ? [] : [`  edited  ${editedHash}`]),
  ]
}

/** Returns the rule of a decision and who approved under it. */
function ruleLines({ rule, approvedBy = [] }: ApprovalRecord): string[] {
  if (rule === undefined) return []
  const { to, quorum, requesters } = rule
  const names = (actors: readonly string[]) => actors.map(quoted).join(', ')
  const who = to === undefined ? '' : ` of ${names(to)}`
  const not = requesters === undefined ? '' : `, not ${names(requesters)}, who asked`
  return [
    `  rule    ${quorum}${who} must approve${not}`,
    ...approvedBy.map(({ actor, at }) => `  agreed  ${quoted(actor)}, ${time(at)}`),
  ]
}

/** A time for people, or the number itself where a calendar ends. */
function time(milliseconds: number): string {
  const date = new Date(milliseconds)
  return Number.isNaN(date.getTime()) ? String(milliseconds) : date.toISOString()
}
