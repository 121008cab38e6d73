import { runStatuses } from '../../common/run-statuses.ts'
import type { Runtime } from '../../tenant/runtime.ts'
import type { RunStatus, RunSummary } from '../../types/runs.ts'
import { Refusal } from '../refusal.ts'
import { type Html, html } from '../view/html.ts'
import { type Story, storiesOf } from '../view/stories.ts'

/** Most runs that are looked through for one page: by what a list has of them, and by what was asked and answered. */
const MOST_LISTED = 2_000
const MOST_READ = 500
/** A search that needs no reading goes on until it has found so many. */
const ENOUGH = 25
/** A longer text is in no line that a person looks for. */
const MOST_TEXT = 200

/** The runs that a person looks for. A text that is empty looks for all. */
export interface RunFilter {
  readonly status: RunStatus | undefined
  /** In the question, the answer, an id or a name. */
  readonly text: string
  /** The agent that received the request. */
  readonly agent: string
  readonly thread: string
  /** Times in UTC as the form sends them: `2026-10-01T12:00`. */
  readonly from: string
  readonly until: string
}

const fields = ['text', 'agent', 'thread', 'from', 'until'] as const

/** @throws Refusal for what is no time */
export function filterIn(search: URLSearchParams): RunFilter {
  const textOf = (name: string) => (search.get(name) ?? '').trim()
  const [from, until] = [textOf('from'), textOf('until')]
  for (const time of [from, until]) spanOf(time)
  return {
    status: runStatuses.find((one) => one === search.get('status')),
    text: textOf('text').slice(0, MOST_TEXT),
    agent: textOf('agent'),
    // An id of the host's choice, which may begin with a space.
    thread: search.get('thread') ?? '',
    from,
    until,
  }
}

/** Whether more than a status is looked for. */
export function isNarrow(filter: RunFilter): boolean {
  return fields.some((name) => filter[name] !== '')
}

/** Finds runs for one page. If a page of the list has none of them, the next one is looked through. */
export async function findRuns(
  runtime: Runtime,
  filter: RunFilter,
  { limit, cursor: start }: { readonly limit: number; readonly cursor?: string },
): Promise<{ found: Story[]; searched: number; cursor: string | undefined }> {
  const { status, thread, text } = filter
  const listed = { limit, ...(status && { status }), ...(thread !== '' && { threadId: thread }) }
  const [most, enough] = text === '' ? [MOST_LISTED, ENOUGH] : [MOST_READ, 1]
  const found: Story[] = []
  let searched = 0
  let cursor = start
  do {
    const page = await runtime.runs.list({ ...listed, ...(cursor === undefined ? {} : { cursor }) })
    const fitting = page.items.filter((run) => fits(run, filter))
    found.push(...(await storiesOf(runtime, fitting)).filter((story) => isIn(story, text)))
    searched += page.items.length
    cursor = page.cursor
  } while (isNarrow(filter) && found.length < enough && cursor !== undefined && searched < most)
  return { found, searched, cursor }
}

function fits({ agent, startedAt }: RunSummary, filter: RunFilter): boolean {
  const isOfAgent = filter.agent === '' || agent === filter.agent
  return isOfAgent && startedAt >= spanOf(filter.from).from && startedAt <= spanOf(filter.until).until
}

function isIn({ run, question = '', answer = '' }: Story, text: string): boolean {
  const { runId, threadId, agent, actor = '' } = run
  const sought = text.toLowerCase()
  return [question, answer, runId, threadId, agent, actor].some((field) => field.toLowerCase().includes(sought))
}

/**
 * The time that a text names: a day or a minute of it, in UTC. An empty one is all of time.
 *
 * @throws Refusal for what is no time
 */
function spanOf(time: string): { readonly from: number; readonly until: number } {
  if (time === '') return { from: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY }
  const isDay = /^\d{4}-\d\d-\d\d$/.test(time)
  const isTime = isDay || /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/.test(time)
  const from = isTime ? Date.parse(isDay ? time : `${time}Z`) : Number.NaN
  if (Number.isNaN(from)) throw new Refusal(400, 'A time is a day or a minute of it in UTC: 2026-10-01T12:00.')
  return { from, until: from + (isDay ? 24 * 60 * 60 * 1000 : 60 * 1000) - 1 }
}

/** The form, whose fields keep what is looked for. It works without a script. */
export function filterForm(filter: RunFilter): Html {
  const { status, text, agent, thread, from, until } = filter
  const isOpen = [agent, thread, from, until].some((field) => field !== '')
  const field = (name: string, label: string, given: string, type = 'text') =>
    html`<p><label for="${name}">${label}</label><input id="${name}" type="${type}" name="${name}" value="${given}"></p>`
  return html`<form class="search" role="search" method="get" action="/runs">
${status !== undefined && html`<input type="hidden" name="status" value="${status}">`}
<label for="text">Text in the question, the answer, an id or a name</label>
<p class="buttons"><input id="text" type="search" name="text" maxlength="${MOST_TEXT}" value="${text}"> <button>Search</button></p>
<details${isOpen && html` open`}><summary>By asked agent, thread and time</summary><div class="fields">
${field('agent', 'Asked agent', agent)}${field('thread', 'Thread', thread)}
${field('from', 'Started from (UTC)', from, 'datetime-local')}${field('until', 'Started until (UTC)', until, 'datetime-local')}
</div></details></form>`
}

/** Links that look for one status, and for the rest as before. */
export function statusLinks(filter: RunFilter): Html {
  const links = [undefined, ...runStatuses].map((status) => {
    const chosen = new URLSearchParams(status && { status })
    for (const name of fields) if (filter[name] !== '') chosen.set(name, filter[name])
    const query = chosen.toString()
    const path = query === '' ? '/runs' : `/runs?${query}`
    return html`<li><a href="${path}"${status === filter.status && html` aria-current="true"`}>${status ?? 'all'}</a></li>`
  })
  return html`<nav class="filters" aria-label="Runs by how they stand"><ul>${links}</ul></nav>`
}
