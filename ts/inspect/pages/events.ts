import type { JournaledEvent, TraceEvent } from '../../types/events.ts'
import { type Html, html } from '../view/html.ts'
import { pathOf } from '../view/paths.ts'
import { chip, count, duration, facts, id, time, value } from '../view/values.ts'

/** Events of one run, oldest first, by how long after its begin they were. */
export function eventList(events: readonly JournaledEvent[], startedAt: number): Html {
  const items = events.map(
    (event) => html`<li class="event">
<p class="head"><span class="number">+${duration(Math.max(0, event.at - startedAt))}</span> <b>${event.type}</b>${event.agent !== undefined && html` <span class="quiet">${event.agent}</span>`} <span class="quiet">number ${event.sequence}</span></p>
${detailsOf(event)}</li>`,
  )
  return html`<ol class="events" start="0">${items}</ol>`
}

export function detailsOf(event: TraceEvent): Html | undefined {
  switch (event.type) {
    case 'run.queued':
      return html`${continued(event)}${event.actor !== undefined && html`<p>asked by ${event.actor}</p>`}${event.startAt !== undefined && html`<p>begins at ${time(event.startAt)}</p>`}${event.continues === undefined && value(event.prompt)}`
    case 'run.started':
      return html`${continued(event)}${event.actor !== undefined && html`<p>asked by ${event.actor}</p>`}${event.continues === undefined && value(event.prompt)}`
    case 'prompt.received':
      return html`${event.actor !== undefined && html`<p>asked by ${event.actor}</p>`}${value(event.prompt)}`
    case 'context.folded':
      return html`<p>about ${count(event.tokens)} tokens are folded</p>${folded('Outline', event.summary)}`
    case 'model.completed': {
      const { inputTokens, outputTokens } = event.usage
      const tokens = `${count(inputTokens)} tokens read, ${count(outputTokens)} written`
      return html`<p>${event.model}: ${tokens}, ended with ${event.finishReason}</p>${event.warnings?.map((warning) => html`<p>${warning}</p>`)}`
    }
    case 'tool.called':
      return html`<p>${event.tool} <span class="quiet">call ${event.callId}</span></p>${folded('Input', event.input)}`
    case 'tool.completed':
      return html`<p><span class="quiet">call ${event.callId}</span>${event.reference !== undefined && html` kept as ${referenceLink(event.reference)}`}</p>${folded('Result', event.result)}`
    case 'tool.failed':
      return html`<p>${chip('failed')} ${event.error.code}: ${event.error.message} <span class="quiet">call ${event.callId}</span></p>`
    case 'tool.waiting':
      return html`<p>waits for ${event.wait.kind}: ${waitLink(event.wait.waitId)} <span class="quiet">call ${event.callId}</span></p>`
    case 'wait.settled': {
      const { waitId, status, actor, value: given, error } = event.record
      const outcome = error ?? given
      return html`<p>${chip(status)} ${waitLink(waitId)}${actor !== undefined && html` by ${actor}`}</p>${outcome !== undefined && folded('Outcome', outcome)}`
    }
    case 'tool.resumed':
      return html`<p>after ${event.kind}${event.actor !== undefined && html` by ${event.actor}`} <span class="quiet">call ${event.callId}</span></p>`
    case 'reference.created':
      return html`<p>${referenceLink(event.reference)}</p>`
    case 'plan.saved':
      return html`<p>${id(event.planId, pathOf('/plans', event.planId))} version ${event.version}</p>`
    case 'approval.requested':
      return html`<p>${approvalLink(event.approval.approvalId)}</p>${folded('What is asked', event.approval.subject)}`
    case 'approval.decided': {
      const { approvalId, decision, actor, reason, decidedAt } = event.record
      const { editedInput } = event
      return html`${facts([
        ['Approval', approvalLink(approvalId)],
        ['Decision', chip(decision)],
        ['By', actor ?? undefined],
        ['Why', reason],
        ['When', time(decidedAt)],
      ])}${editedInput !== undefined && folded('Called with this input instead', editedInput)}`
    }
    case 'run.suspended':
      return html`<ul>${event.approvals.map(({ approvalId }) => html`<li>waits for ${approvalLink(approvalId)}</li>`)}${(event.waits ?? []).map(({ waitId }) => html`<li>waits for ${waitLink(waitId)}</li>`)}</ul>`
    case 'run.completed':
      return html`${folded('Answer', event.output ?? event.text)}${event.waiting?.map((callId) => html`<p><span class="quiet">call ${callId} still waits</span></p>`)}`
    case 'run.failed':
      return html`<p>${chip('failed')} ${event.error.code}: ${event.error.message}</p>`
    case 'run.limited':
      return html`<p>${chip('limited')} by ${event.limit}</p>`
    case 'request.rejected':
      return html`<p>A query named another tenant.</p>`
    default:
      return undefined
  }
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

function folded(name: string, given: unknown): Html {
  return html`<details><summary>${name}</summary>${value(given)}</details>`
}
