import type { TraceEvent } from '../../types/events.ts'
import { type Ask, pageOf, type Subject } from '../request.ts'
import { unlessGone } from '../view/gone.ts'
import { type Html, html } from '../view/html.ts'
import { inTurn } from '../view/in-turn.ts'
import type { Page } from '../view/layout.ts'
import { pathOf } from '../view/paths.ts'
import { more, nothing, time } from '../view/values.ts'
import { detailsOf, subjectOf } from './events.ts'

/** Events, newest first. */
export async function traces({ runtime }: Subject, ask: Ask): Promise<Page> {
  const { items, cursor } = await runtime.traces.list(pageOf(ask))
  const about = await inTurn(items, (event) => aboutOf(runtime, event))
  const events = items.map(
    (event, at) =>
      html`<li class="event"><p class="head">${time(event.at)} <b>${event.type}</b>${runOf(event)}</p>${detailsOf(event, about[at])}</li>`,
  )
  const list = items.length === 0 ? nothing('There are no events yet.') : html`<ol class="events">${events}</ol>`
  const body = html`<p class="quiet">What happened, in runs and outside of them, for as long as it is kept. Runs that overlapped come one after the other, the newest first.</p>
${list}${more('/events', ask.search, cursor)}`
  return { title: 'Events', section: '/events', body }
}

/** What a decision is about, while its approval is kept. */
async function aboutOf(runtime: Subject['runtime'], event: TraceEvent): Promise<Html | undefined> {
  if (event.type !== 'approval.decided') return undefined
  const approval = await unlessGone(runtime.approvals.get(event.record.approvalId))
  return approval && subjectOf(approval)
}

function runOf(event: TraceEvent): Html | undefined {
  return 'runId' in event ? html` <a href="${pathOf('/runs', event.runId)}">its run</a>` : undefined
}
