import type { Approval } from '../../types/approvals.ts'
import type { JournaledEvent, TraceEvent } from '../../types/events.ts'
import { type Html, html } from '../view/html.ts'
import { pathOf } from '../view/paths.ts'
import { chip, clipped, count, excerpt, facts, folded, glimpsed, id, time } from '../view/values.ts'

/** Returns the path of all that an event of a run has, as a file. */
export function wholeOf(event: TraceEvent): string | undefined {
  return 'runId' in event ? `${pathOf('/runs', event.runId)}?download=${event.sequence}` : undefined
}

/** Returns what an event says besides its type. `about`: what was decided, which a decision does not say itself. */
export function detailsOf(event: TraceEvent, about?: Html): Html | undefined {
  const whole = wholeOf(event)
  switch (event.type) {
    case 'run.queued':
      return html`${continued(event)}${event.actor !== undefined && html`<p>asked by ${event.actor}</p>`}${event.startAt !== undefined && html`<p>begins at ${time(event.startAt)}</p>`}${event.continues === undefined && excerpt(event.prompt, whole)}`
    case 'run.started':
      return html`${continued(event)}${event.actor !== undefined && html`<p>asked by ${event.actor}</p>`}${event.continues === undefined && excerpt(event.prompt, whole)}`
    case 'prompt.received':
      return html`${event.actor !== undefined && html`<p>asked by ${event.actor}</p>`}${excerpt(event.prompt, whole)}`
    case 'context.folded':
      return html`<p>about ${count(event.tokens)} tokens are folded</p>${folded(isWritten(event.summary) ? 'Summary' : 'Outline', event.summary, whole)}`
    case 'model.completed': {
      const { inputTokens, outputTokens } = event.usage
      const tokens = `${count(inputTokens)} tokens read, ${count(outputTokens)} written`
      return html`<p>${event.model}: ${tokens}, ended with ${event.finishReason}</p>${event.warnings?.map((warning) => html`<p>${warning}</p>`)}`
    }
    case 'tool.called':
      return html`<p>${event.tool} <span class="quiet">call ${event.callId}</span></p>${folded('Input', event.input, whole)}`
    case 'tool.completed':
      return html`<p><span class="quiet">call ${event.callId}</span>${event.reference !== undefined && html` kept as ${referenceLink(event.reference)}`}</p>${folded('Result', event.result, whole)}`
    case 'tool.failed':
      return html`${failure(event.error, whole)}<p class="quiet">call ${event.callId}</p>`
    case 'tool.waiting':
      return html`<p>waits for ${event.wait.kind}: ${waitLink(event.wait.waitId)} <span class="quiet">call ${event.callId}</span></p>`
    case 'wait.settled': {
      const { waitId, status, actor, value: given, error } = event.record
      const outcome = error ?? given
      return html`<p>${chip(status)} ${waitLink(waitId)}${actor !== undefined && html` by ${actor}`}</p>${outcome !== undefined && folded('Outcome', outcome, whole)}`
    }
    case 'tool.resumed':
      return html`<p>after ${event.kind}${event.actor !== undefined && html` by ${event.actor}`} <span class="quiet">call ${event.callId}</span></p>`
    case 'reference.created':
      return html`<p>${referenceLink(event.reference)}</p>`
    case 'plan.saved':
      return html`<p>${id(event.planId, pathOf('/plans', event.planId))} version ${event.version}</p>`
    case 'approval.requested':
      return html`<p>${subjectOf(event.approval)} ${approvalLink(event.approval.approvalId)}</p>${folded('What is asked', event.approval.subject, whole)}`
    case 'approval.decided': {
      const { approvalId, decision, actor, reason, decidedAt } = event.record
      const { editedInput } = event
      return html`${facts([
        ['About', about],
        ['Approval', approvalLink(approvalId)],
        ['Decision', chip(decision)],
        ['By', actor ?? undefined],
        ['Why', reason],
        ['When', time(decidedAt)],
      ])}${editedInput !== undefined && folded('Called with this input instead', editedInput, whole)}`
    }
    case 'run.suspended':
      return html`<ul>${event.approvals.map((approval) => html`<li>waits for a decision about ${subjectOf(approval)} ${approvalLink(approval.approvalId)}</li>`)}${(event.waits ?? []).map(({ kind, tool, waitId }) => html`<li><b>${tool}</b> waits for ${kind}: ${waitLink(waitId)}</li>`)}</ul>`
    case 'run.completed':
      return html`${folded('Answer', event.output ?? event.text, whole)}${event.waiting?.map((callId) => html`<p><span class="quiet">call ${callId} still waits</span></p>`)}`
    case 'run.failed':
      return failure(event.error, whole)
    case 'run.steered':
      return html`<p>into ${id(event.into, pathOf('/runs', event.into))}</p>`
    case 'run.limited':
      return html`<p>${chip('limited')} by ${event.limit}</p>`
    case 'request.rejected':
      return html`<p>A query named another tenant.</p>`
    default:
      return undefined
  }
}

/** Whether a model wrote what stands for folded messages: its first line, which the core writes, says so. */
function isWritten(summary: string): boolean {
  return summary.split('\n', 1)[0]?.includes(' A summary of ') === true
}

function continued({ continues }: Extract<JournaledEvent, { type: 'run.queued' | 'run.started' }>): Html | undefined {
  if (continues === undefined) return undefined
  return html`<p>goes on with calls of ${id(continues.runId, pathOf('/runs', continues.runId))}</p>`
}

function referenceLink(reference: string): Html {
  return id(reference, pathOf('/references', reference))
}

function approvalLink(approvalId: string): Html {
  return id(approvalId, pathOf('/approvals', approvalId))
}

function waitLink(waitId: string): Html {
  return id(waitId, pathOf('/waits', waitId))
}

/** An error. A long message is unfolded by a click. */
export function failure({ code, message }: { readonly code: string; readonly message: string }, whole?: string): Html {
  const line = clipped(message, 300)
  return html`<p>${chip('failed')} ${code}: ${line}</p>${line !== message && folded('The whole message', message, whole)}`
}

/** What an approval is about, in one line. */
export function subjectOf({ subject }: Pick<Approval, 'subject'>): Html {
  if (!('tool' in subject)) return html`plan ${id(subject.planId, pathOf('/plans', subject.planId))}`
  return html`<b>${subject.tool}</b> <span class="quiet">${glimpsed(subject.input, 120)}</span>`
}
