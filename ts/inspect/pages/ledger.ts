import { notFound } from '../../arguments/ids.ts'
import { verifyInclusion } from '../../ledger/index.ts'
import type { Approval, ApprovalRecord, VerifyReport } from '../../types/approvals.ts'
import { type Ask, pageOf, type Subject } from '../request.ts'
import { unlessGone } from '../view/gone.ts'
import { type Html, html } from '../view/html.ts'
import { inTurn } from '../view/in-turn.ts'
import type { Page } from '../view/layout.ts'
import { pathOf } from '../view/paths.ts'
import { chip, clipped, count, counted, facts, id, more, nothing, ruleFacts, time, value } from '../view/values.ts'
import { planOf } from './approvals.ts'
import { subjectOf } from './events.ts'

/** Result of a check of the whole ledger, its checkpoint, and its records, oldest first. */
export async function ledger({ runtime, publicKey }: Subject, ask: Ask): Promise<Page> {
  const report = await runtime.approvals.verify()
  // A damaged ledger has a report, but neither a checkpoint nor a list.
  const records = report.ok ? await recordsOf({ runtime, publicKey }, ask) : undefined
  return { title: 'Ledger', section: '/ledger', body: html`${verdictOf(report)}${records}` }
}

/** Returns the result of a check in words. */
export function verdictOf({ ok, size, problems }: VerifyReport): Html {
  if (ok) {
    return html`<p class="notice good"><b>The ledger is whole.</b> ${counted(size, 'record')} and the tree over them were checked just now.</p>`
  }
  const items = problems.map(
    ({ sequence, problem }) => html`<li>${sequence === null ? 'In all' : `Record ${sequence}`}: ${problem}</li>`,
  )
  return html`<div class="notice bad" role="alert"><p><b>The ledger does not hold.</b> It was removed from, changed or put back:</p><ul>${items}</ul></div>`
}

async function recordsOf({ runtime, publicKey }: Subject, ask: Ask): Promise<Html> {
  const [{ items, cursor }, checkpoint] = await Promise.all([
    runtime.approvals.history(pageOf(ask)),
    runtime.approvals.checkpoint(),
  ])
  const approvals = await inTurn(items, (record) => approvalOf({ runtime }, record))
  const rows = items.map(
    (
      record,
      at,
    ) => html`<tr><td data-name="Number"><a href="${pathOf('/ledger', String(record.sequence))}">${count(record.sequence)}</a></td>
<td data-name="About">${aboutLine(approvals[at], record)}</td>
<td data-name="Decision">${chip(record.decision)}</td><td data-name="By">${record.actor ?? 'none'}</td>
<td data-name="Why">${record.reason ?? '–'}</td><td data-name="When">${time(record.decidedAt)}</td></tr>`,
  )
  const table = html`<table class="list"><thead><tr><th scope="col">Number</th><th scope="col">About</th><th scope="col">Decision</th><th scope="col">By</th><th scope="col">Why</th><th scope="col">When</th></tr></thead><tbody>${rows}</tbody></table>`
  return html`<section aria-labelledby="records"><h2 id="records">Records</h2>${items.length === 0 ? nothing('Nothing was decided yet.') : table}${more('/ledger', ask.search, cursor)}</section>
<section aria-labelledby="checkpoint"><h2 id="checkpoint">Checkpoint</h2>
<p>Keep this elsewhere: a later ledger that does not go on from it was put back.</p>${value(checkpoint.note)}
<p class="quiet">Checked with the key of the store:</p>${value(publicKey)}</section>`
}

/** One record with its proof. */
export async function oneRecord({ runtime, publicKey }: Subject, _: Ask, name: string): Promise<Page> {
  if (!/^(0|[1-9]\d{0,14})$/.test(name)) throw notFound()
  const proof = await runtime.approvals.prove(Number(name))
  const { record } = proof
  const approval = await approvalOf({ runtime }, record)
  const verdict = verifyInclusion(proof, publicKey)
    ? html`<p class="notice good"><b>The proof holds.</b> This record is in the ledger of the checkpoint.</p>`
    : html`<p class="notice bad" role="alert"><b>The proof does not hold.</b></p>`
  const body = html`${verdict}${facts([
    ['Decision', chip(record.decision)],
    ['Approval', id(record.approvalId, pathOf('/approvals', record.approvalId))],
    ['By', record.actor ?? 'none'],
    ['Why', record.reason],
    ...ruleFacts(record),
    ['Requested by', record.requestedBy],
    ['Requested', time(record.requestedAt)],
    ['Decided', time(record.decidedAt)],
    ['Hash of what was asked', id(record.subjectHash)],
    ['Hash with the changed input', record.editedHash === undefined ? undefined : id(record.editedHash)],
  ])}
<section aria-labelledby="about"><h2 id="about">About</h2>${await aboutOf({ runtime }, approval)}</section>
<section aria-labelledby="proof"><h2 id="proof">Proof</h2>
<p>Saved as a file, it is checked without the store: <code>bailiwick verify proof.json --key …</code></p>${value(proof)}</section>`
  return { title: `Record ${name}`, section: '/ledger', body }
}

/** The approval that a record decides, while it is kept: the ledger itself has only the hash of its subject. */
async function approvalOf(
  { runtime }: Pick<Subject, 'runtime'>,
  { approvalId, subjectHash }: ApprovalRecord,
): Promise<Approval | undefined> {
  const approval = await unlessGone(runtime.approvals.get(approvalId))
  return approval?.subjectHash === subjectHash ? approval : undefined
}

/** Returns the subject of a decision in one line. */
function aboutLine(approval: Approval | undefined, { subjectHash }: ApprovalRecord): Html {
  if (approval === undefined) return html`<span class="quiet">no longer kept:</span> ${id(clipped(subjectHash, 12))}`
  return subjectOf(approval)
}

/** All of what was decided about. */
async function aboutOf(subject: Pick<Subject, 'runtime'>, approval: Approval | undefined): Promise<Html> {
  if (approval === undefined) {
    return nothing(
      'What was asked is no longer kept. Its hash above still tells whether a copy is the one that was decided.',
    )
  }
  const asked = approval.subject
  if (!('tool' in asked)) return await planOf(subject, asked)
  const { editedInput } = approval
  const edited =
    editedInput !== undefined &&
    html`<p>Approved with this input instead:</p>${value(JSON.stringify(editedInput, undefined, 2))}`
  return html`<p>Call ${asked.tool} with</p>${value(asked.input)}${edited}`
}
