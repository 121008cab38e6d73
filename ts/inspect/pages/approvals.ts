import type { Approval } from '../../types/approvals.ts'
import type { JsonValue } from '../../types/json.ts'
import { Refusal } from '../refusal.ts'
import { type Ask, pageOf, type Subject } from '../request.ts'
import { actorField, readAct } from '../view/form.ts'
import { unlessGone } from '../view/gone.ts'
import { type Html, html } from '../view/html.ts'
import type { Page } from '../view/layout.ts'
import { pathOf } from '../view/paths.ts'
import { chip, count, duration, facts, id, more, nothing, ruleFacts, time, value } from '../view/values.ts'
import { stepsOf } from './plans.ts'

/** Pending approvals, newest first. */
export async function inbox(subject: Subject, ask: Ask): Promise<Page> {
  const { items, cursor } = await subject.runtime.approvals.pending(pageOf(ask, 20))
  const cards = await Promise.all(
    items.map(
      async (approval) => html`<li class="card">${await question(subject, approval)}${form(approval, ask)}</li>`,
    ),
  )
  const body = html`${items.length === 0 ? nothing('Nothing waits for a decision.') : html`<ul class="cards">${cards}</ul>`}
${more('/approvals', ask.search, cursor)}`
  return { title: 'Approvals', section: '/approvals', body }
}

/** One approval of any status. */
export async function oneApproval(subject: Subject, ask: Ask, approvalId: string): Promise<Page> {
  const approval = await subject.runtime.approvals.get(approvalId)
  const isPending = approval.status === 'pending'
  const body = html`${!isPending && html`<p class="notice" role="status">This approval is ${approval.status}. <a href="/approvals">To what waits</a></p>`}
<div class="card">${await question(subject, approval)}${isPending && form(approval, ask)}</div>`
  return { title: 'Approval', section: '/approvals', body }
}

/**
 * Decides, and returns the path of the page that shows the result.
 *
 * @throws Refusal, and what `approvals.respond` rejects with
 */
export async function decide({ runtime }: Subject, ask: Ask, approvalId: string): Promise<string> {
  const { decision, actor, reason, input } = await readAct(ask, ['reason', 'decision'], ['input'])
  if (decision !== 'approve' && decision !== 'reject') throw new Refusal(400, 'Either approve or reject.')
  // One of several that a rule asks for leads to the same page, which shows who has approved.
  const edited = decision === 'approve' && input.trim() !== '' ? { input: parsed(input) } : {}
  await runtime.approvals.respond(approvalId, { decision, actor, ...(reason === '' ? {} : { reason }), ...edited })
  return pathOf('/approvals', approvalId)
}

async function question({ runtime }: Subject, approval: Approval): Promise<Html> {
  const { subject, runId, threadId } = approval
  const asked =
    'tool' in subject
      ? html`<h2>Call ${subject.tool}?</h2>${value(subject.input)}`
      : html`<h2>Approve a plan?</h2>${await planOf({ runtime }, subject)}`
  const { editedInput } = approval
  const edited = editedInput !== undefined && html`<p>Approved with this input instead:</p>${json(editedInput)}`
  return html`${asked}${edited}${facts([
    ['State', chip(approval.status)],
    ...ruleFacts(approval),
    ['Asked by', approval.requestedBy],
    ['Asked', time(approval.createdAt)],
    ['Decide before', time(approval.expiresAt)],
    ['Run', runId === undefined ? undefined : id(runId, pathOf('/runs', runId))],
    ['Thread', threadId === undefined ? undefined : id(threadId, pathOf('/threads', threadId))],
    ['Approval', id(approval.approvalId, pathOf('/approvals', approval.approvalId))],
    ['Hash of what is asked', id(approval.subjectHash)],
  ])}`
}

/** The version of a plan that an approval covers, which may not be the newest. */
export async function planOf(
  { runtime }: Pick<Subject, 'runtime'>,
  { planId, planHash }: { readonly planId: string; readonly planHash: string },
): Promise<Html> {
  const versions = (await unlessGone(runtime.plans.history(planId))) ?? []
  const plan = versions.find(({ hash }) => hash === planHash)
  if (plan === undefined) return nothing('The plan is not there any more.')
  return html`<p class="goal">${plan.goal}</p><p>Version ${count(plan.version)} of ${id(planId, pathOf('/plans', planId))}</p>${stepsOf(plan)}`
}

/** JSON in lines, a text too in its quotes. */
function json(given: JsonValue): Html {
  return value(JSON.stringify(given, undefined, 2))
}

/** @throws Refusal for what is no JSON */
function parsed(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    throw new Refusal(400, 'The changed input is no JSON. Leave it empty to approve what was asked.')
  }
}

function form(approval: Approval, ask: Ask): Html | false {
  if (!ask.person.mayAct) return false
  const { approvalId, expiresAt, subject, rule } = approval
  const left = expiresAt - Date.now()
  // Several people must approve the same.
  const mayEdit = 'tool' in subject && (rule?.quorum ?? 1) === 1
  return html`<form method="post" action="${pathOf('/approvals', approvalId)}">
${actorField(ask, approvalId, 'for the ledger')}
<label for="reason-${approvalId}">Why <span class="quiet">if you want to say</span></label>
<textarea id="reason-${approvalId}" name="reason" rows="2" maxlength="4000"></textarea>
${mayEdit && editField(approvalId)}
<p class="buttons"><button class="approve" name="decision" value="approve">Approve</button> <button class="reject" name="decision" value="reject">Reject</button>
${left > 0 && html`<span class="quiet">${duration(left)} left</span>`}</p>
</form>`
}

/** Another input to approve, below a line that opens it. */
function editField(approvalId: string): Html {
  return html`<details><summary>Approve another input</summary>
<label for="input-${approvalId}">Input <span class="quiet">as JSON; the tool is called with it instead</span></label>
<textarea id="input-${approvalId}" name="input" rows="4"></textarea></details>`
}
