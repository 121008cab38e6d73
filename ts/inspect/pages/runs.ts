import type { TokensByModel } from '../../types/events.ts'
import { type Ask, pageOf, type Subject } from '../request.ts'
import { type Html, html } from '../view/html.ts'
import type { Page } from '../view/layout.ts'
import { pathOf } from '../view/paths.ts'
import { bar } from '../view/plots.ts'
import type { Story } from '../view/stories.ts'
import { chip, clipped, counted, duration, id, more, nothing, time } from '../view/values.ts'
import { filterForm, filterIn, findRuns, isNarrow, statusLinks } from './search.ts'

/** Runs on one axis of time, newest first: all, or those that a person looks for. */
export async function runs({ runtime }: Subject, ask: Ask): Promise<Page> {
  const filter = filterIn(ask.search)
  const { found, searched, cursor } = await findRuns(runtime, filter, pageOf(ask))
  const none = filter.status === undefined ? 'There are no runs yet.' : `There is no ${filter.status} run here.`
  const unfound = `What you look for is in none of the ${counted(searched, 'run')} that were looked through.`
  const body = html`${filterForm(filter)}${statusLinks(filter)}
${found.length === 0 ? nothing(isNarrow(filter) ? unfound : none) : timeline(found)}
${more('/runs', ask.search, cursor)}`
  return { title: 'Runs', section: '/runs', body }
}

/** A table of runs whose lines share one axis. */
export function timeline(items: readonly Story[]): Html {
  const first = Math.min(...items.map(({ run }) => run.startedAt))
  const last = Math.max(...items.map(({ run }) => run.updatedAt))
  const share = (at: number) => (at - first) / Math.max(1, last - first)
  const rows = items.map(
    ({ run, question, answer }) => html`<tr>
<td data-name="Asked"><a href="${pathOf('/runs', run.runId)}">${clipped(question ?? '') || 'nothing in words'}</a><br><span class="quiet">${id(run.runId)}</span></td>
<td data-name="State">${chip(run.status)}</td>
<td data-name="Answer">${clipped(answer ?? '') || '–'}</td>
<td data-name="Agent"><a href="/runs?${new URLSearchParams({ agent: run.agent }).toString()}">${run.agent}</a>${run.actor !== undefined && html` <span class="quiet">for ${run.actor}</span>`}<br><span class="quiet">in <a href="/runs?${new URLSearchParams({ thread: run.threadId }).toString()}">${clipped(run.threadId, 40)}</a></span></td>
<td data-name="Started">${time(run.startedAt)}<br><span class="quiet">${duration(run.updatedAt - run.startedAt)}, ${counted(tokensOf(run.usage), 'token')}</span></td>
<td data-name="When" class="bar">${bar([[share(run.startedAt), Math.max(share(run.updatedAt), share(run.startedAt) + 0.001)]], `mark ${run.status}`)}</td>
</tr>`,
  )
  return html`<table class="list timeline">
<caption>From ${time(first)} to ${time(last)} (UTC), newest first</caption>
<thead><tr><th scope="col">Asked</th><th scope="col">State</th><th scope="col">Answer</th><th scope="col">Agent</th><th scope="col">Started</th><th scope="col">When</th></tr></thead>
<tbody>${rows}</tbody></table>`
}

/** All tokens that were read and written. */
function tokensOf(usage: TokensByModel): number {
  return Object.values(usage).reduce((sum, { inputTokens, outputTokens }) => sum + inputTokens + outputTokens, 0)
}
