import type { RunStatus, RunSummary } from '../../runtime/run.ts'
import type { JournaledEvent, TokensByModel } from '../../runtime/run-events.ts'
import { type Html, html } from '../html.ts'
import type { Page } from '../layout.ts'
import { pathOf } from '../paths.ts'
import { bar } from '../plots.ts'
import { type Ask, pageOf } from '../routes.ts'
import type { Subject } from '../server.ts'
import { chip, count, counted, duration, facts, id, more, nothing, time } from '../values.ts'
import { eventList } from './events.ts'
import { waterfall } from './waterfall.ts'

const stati = ['running', 'interrupted', 'suspended', 'completed', 'limited', 'failed', 'cancelled'] as const

/** How many events of a run are shown at once. */
const EVENTS = 200

/** Runs on one axis of time, newest first. */
export async function runs({ runtime }: Subject, ask: Ask): Promise<Page> {
  const status = stati.find((one) => one === ask.search.get('status'))
  const { items, cursor } = await runtime.runs.list({ ...pageOf(ask), ...(status === undefined ? {} : { status }) })
  const body = html`${filters(status)}
${items.length === 0 ? nothing(status === undefined ? 'There are no runs yet.' : `There is no ${status} run here.`) : timeline(items)}
${more('/runs', ask.search, cursor)}`
  return { title: 'Runs', section: '/runs', body }
}

function filters(current: RunStatus | undefined): Html {
  const links = [undefined, ...stati].map((status) => {
    const path = status === undefined ? '/runs' : `/runs?status=${status}`
    return html`<li><a href="${path}"${status === current && html` aria-current="true"`}>${status ?? 'all'}</a></li>`
  })
  return html`<nav class="filters" aria-label="Runs by how they stand"><ul>${links}</ul></nav>`
}

/** A table of runs whose lines share one axis. */
export function timeline(items: readonly RunSummary[]): Html {
  const first = Math.min(...items.map(({ startedAt }) => startedAt))
  const last = Math.max(...items.map(({ updatedAt }) => updatedAt))
  const share = (at: number) => (at - first) / Math.max(1, last - first)
  const rows = items.map(
    (run) => html`<tr>
<td data-name="Run">${id(run.runId, pathOf('/runs', run.runId))}</td>
<td data-name="State">${chip(run.status)}</td>
<td data-name="Agent">${run.agent}${run.actor !== undefined && html` <span class="quiet">for ${run.actor}</span>`}</td>
<td data-name="Started">${time(run.startedAt)}<br><span class="quiet">${duration(run.updatedAt - run.startedAt)}, ${counted(tokensOf(run.usage), 'token')}</span></td>
<td data-name="When" class="bar">${bar([[share(run.startedAt), Math.max(share(run.updatedAt), share(run.startedAt) + 0.001)]], `mark ${run.status}`)}</td>
</tr>`,
  )
  return html`<table class="list timeline">
<caption>From ${time(first)} to ${time(last)} (UTC), newest first</caption>
<thead><tr><th scope="col">Run</th><th scope="col">State</th><th scope="col">Agent</th><th scope="col">Started</th><th scope="col">When</th></tr></thead>
<tbody>${rows}</tbody></table>`
}

/** One run: what is known of it, its waterfall, and its events. */
export async function oneRun({ runtime }: Subject, ask: Ask, runId: string): Promise<Page> {
  const run = await runtime.runs.get(runId)
  // Newest first, as every list; a run is read from its begin.
  const { items, cursor } = await runtime.traces.list({ runId, ...pageOf(ask, EVENTS) })
  const events = (items as JournaledEvent[]).toReversed()
  const path = pathOf('/runs', runId)
  const body = html`${facts([
    ['Run', id(runId)],
    ['State', chip(run.status)],
    ['Agent', run.agent],
    ['Asked by', run.actor],
    ['Thread', id(run.threadId, pathOf('/threads', run.threadId))],
    ['Started', time(run.startedAt)],
    ['Took', duration(run.updatedAt - run.startedAt)],
    ...tokenFacts(run.usage),
  ])}
<section aria-labelledby="waterfall"><h2 id="waterfall">Timeline</h2>${waterfall(events)}</section>
<section aria-labelledby="events"><h2 id="events">Events</h2>${eventList(events, run.startedAt)}
${cursor !== undefined && html`<p class="quiet">These are the ${count(events.length)} newest here; older ones are on the next page.</p>`}
${more(path, ask.search, cursor)}</section>`
  return { title: `Run of ${run.agent}`, section: '/runs', body }
}

/** All tokens that were read and written. */
function tokensOf(usage: TokensByModel): number {
  return Object.values(usage).reduce((sum, { inputTokens, outputTokens }) => sum + inputTokens + outputTokens, 0)
}

function tokenFacts(usage: TokensByModel): (readonly [string, string])[] {
  return Object.entries(usage).map(([model, { inputTokens, outputTokens }]) => [
    `Tokens of ${model}`,
    `${count(inputTokens)} read, ${count(outputTokens)} written`,
  ])
}
