import { html } from '../html.ts'
import type { Page } from '../layout.ts'
import { type Ask, pageOf } from '../routes.ts'
import type { Subject } from '../server.ts'
import { more, nothing, time } from '../values.ts'
import { detailsOf } from './events.ts'

/** What happened outside of runs, newest first. */
export async function traces({ runtime }: Subject, ask: Ask): Promise<Page> {
  const { items, cursor } = await runtime.traces.list(pageOf(ask))
  const events = items.map(
    (event) =>
      html`<li class="event"><p class="head">${time(event.at)} <b>${event.type}</b></p>${detailsOf(event)}</li>`,
  )
  const list = items.length === 0 ? nothing('There are no events yet.') : html`<ol class="events">${events}</ol>`
  const body = html`<p class="quiet">What happened outside of runs, newest first, for as long as traces are kept. A run's events are with the run.</p>
${list}${more('/events', ask.search, cursor)}`
  return { title: 'Events', section: '/events', body }
}
