import { hasEnded, runStatuses } from '../../common/run-statuses.ts'
import type { JournaledEvent, TokensByModel } from '../../types/events.ts'
import type { RunStatus } from '../../types/runs.ts'
import { Refusal } from '../refusal.ts'
import { type Ask, pageOf, type Subject } from '../request.ts'
import { readAct, tokenField } from '../view/form.ts'
import { type Html, html } from '../view/html.ts'
import type { Page } from '../view/layout.ts'
import { pathOf } from '../view/paths.ts'
import { bar } from '../view/plots.ts'
import { type Story, storiesOf } from '../view/stories.ts'
import { chip, clipped, count, counted, duration, facts, id, more, nothing, time } from '../view/values.ts'
import { eventList } from './events.ts'
import { waterfall } from './waterfall.ts'

/** Events of a run on one page. */
const EVENTS = 200

/** Most runs that a search reads for one page. */
const MOST_SEARCHED = 500

/** Runs on one axis of time, newest first; with a text, those alone in which it is. */
export async function runs({ runtime }: Subject, ask: Ask): Promise<Page> {
  const status = runStatuses.find((one) => one === ask.search.get('status'))
  const text = (ask.search.get('text') ?? '').trim().slice(0, MOST_TEXT)
  const filter = status === undefined ? {} : { status }
  const { found, searched, cursor } = await search(runtime, { ...pageOf(ask), ...filter }, text)
  const none = status === undefined ? 'There are no runs yet.' : `There is no ${status} run here.`
  const unfound = `The text is in none of the ${counted(searched, 'run')} that were looked through.`
  const body = html`${searchForm(status, text)}${filters(status, text)}
${found.length === 0 ? nothing(text === '' ? none : unfound) : timeline(found)}
${more('/runs', ask.search, cursor)}`
  return { title: 'Runs', section: '/runs', body }
}

/** A longer text is in no line that a person looks for. */
const MOST_TEXT = 200

/** A page of runs; with a text, pages are gone through until one has some in which it is. */
async function search(
  runtime: Subject['runtime'],
  page: NonNullable<Parameters<Subject['runtime']['runs']['list']>[0]>,
  text: string,
): Promise<{ found: Story[]; searched: number; cursor: string | undefined }> {
  const found: Story[] = []
  let searched = 0
  let cursor = page.cursor
  do {
    const next = await runtime.runs.list({ ...page, ...(cursor === undefined ? {} : { cursor }) })
    const stories = await storiesOf(runtime, next.items)
    found.push(...stories.filter((story) => isIn(story, text)))
    searched += next.items.length
    cursor = next.cursor
  } while (text !== '' && found.length === 0 && cursor !== undefined && searched < MOST_SEARCHED)
  return { found, searched, cursor }
}

function isIn({ run, question = '', answer = '' }: Story, text: string): boolean {
  const { runId, threadId, agent, actor = '' } = run
  const sought = text.toLowerCase()
  return [question, answer, runId, threadId, agent, actor].some((field) => field.toLowerCase().includes(sought))
}

function searchForm(status: RunStatus | undefined, text: string): Html {
  return html`<form class="search" role="search" method="get" action="/runs">
${status !== undefined && html`<input type="hidden" name="status" value="${status}">`}
<label for="text">Text in the question, the answer, an id or a name</label>
<p class="buttons"><input id="text" type="search" name="text" maxlength="${MOST_TEXT}" value="${text}"> <button>Search</button></p>
</form>`
}

function filters(current: RunStatus | undefined, text: string): Html {
  const links = [undefined, ...runStatuses].map((status) => {
    const chosen = new URLSearchParams({ ...(status && { status }), ...(text !== '' && { text }) }).toString()
    const path = chosen === '' ? '/runs' : `/runs?${chosen}`
    return html`<li><a href="${path}"${status === current && html` aria-current="true"`}>${status ?? 'all'}</a></li>`
  })
  return html`<nav class="filters" aria-label="Runs by how they stand"><ul>${links}</ul></nav>`
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
<td data-name="Agent">${run.agent}${run.actor !== undefined && html` <span class="quiet">for ${run.actor}</span>`}</td>
<td data-name="Started">${time(run.startedAt)}<br><span class="quiet">${duration(run.updatedAt - run.startedAt)}, ${counted(tokensOf(run.usage), 'token')}</span></td>
<td data-name="When" class="bar">${bar([[share(run.startedAt), Math.max(share(run.updatedAt), share(run.startedAt) + 0.001)]], `mark ${run.status}`)}</td>
</tr>`,
  )
  return html`<table class="list timeline">
<caption>From ${time(first)} to ${time(last)} (UTC), newest first</caption>
<thead><tr><th scope="col">Asked</th><th scope="col">State</th><th scope="col">Answer</th><th scope="col">Agent</th><th scope="col">Started</th><th scope="col">When</th></tr></thead>
<tbody>${rows}</tbody></table>`
}

/** One run: what is known of it, its waterfall, and its events. */
export async function oneRun({ runtime }: Subject, ask: Ask, runId: string): Promise<Page> {
  const run = await runtime.runs.get(runId)
  // Newest first, as every list; a run is read from its begin.
  const { items, cursor } = await runtime.traces.list({ runId, ...pageOf(ask, EVENTS) })
  const events = (items as JournaledEvent[]).toReversed()
  const path = pathOf('/runs', runId)
  const [story] = await storiesOf(runtime, [run])
  const body = html`${facts([
    ['Run', id(runId)],
    ['State', chip(run.status)],
    ['Asked', clipped(story?.question ?? '', 400) || undefined],
    ['Answer', clipped(story?.answer ?? '', 400) || undefined],
    ['Agent', run.agent],
    ['Asked by', run.actor],
    ['Thread', id(run.threadId, pathOf('/threads', run.threadId))],
    ['Started', time(run.startedAt)],
    ['Took', duration(run.updatedAt - run.startedAt)],
    ...tokenFacts(run.usage),
  ])}${!hasEnded(run.status) && cancelForm(runId, ask)}
<section aria-labelledby="waterfall"><h2 id="waterfall">Timeline</h2>${waterfall(events)}</section>
<section aria-labelledby="events"><h2 id="events">Events</h2>${eventList(events, run.startedAt)}
${cursor !== undefined && html`<p class="quiet">These are the ${count(events.length)} newest here; older ones are on the next page.</p>`}
${more(path, ask.search, cursor)}</section>`
  return { title: `Run of ${run.agent}`, section: '/runs', body }
}

/**
 * Cancels a run, and returns the path of its page.
 *
 * @throws Refusal, and what `runs.cancel` rejects with
 */
export async function cancelRun({ runtime }: Subject, ask: Ask, runId: string): Promise<string> {
  const { act } = await readAct(ask, ['act'])
  if (act !== 'cancel') throw new Refusal(400, 'A run is cancelled here, and nothing else.')
  const { status } = await runtime.runs.get(runId)
  if (hasEnded(status)) throw new Refusal(409, `This run has ended: it is ${status}.`)
  await runtime.runs.cancel(runId)
  return pathOf('/runs', runId)
}

function cancelForm(runId: string, ask: Ask): Html | false {
  if (!ask.person.mayAct) return false
  return html`<form method="post" action="${pathOf('/runs', runId)}">${tokenField(ask)}
<p class="buttons"><button class="reject" name="act" value="cancel">Cancel the run</button></p></form>`
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
