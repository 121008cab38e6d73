import type { TraceEvent } from '../../types/events.ts'
import type { Page as ListPage } from '../../types/page.ts'
import type { RunSummary } from '../../types/runs.ts'
import type { Usage } from '../../types/tenant.ts'
import { emptyNotice, isEmpty } from '../emptiness.ts'
import type { Ask, Subject } from '../request.ts'
import { type Html, html } from '../view/html.ts'
import type { Page } from '../view/layout.ts'
import { bars, columns } from '../view/plots.ts'
import { storiesOf } from '../view/stories.ts'
import { count, counted, nothing, size } from '../view/values.ts'
import { verdictOf } from './ledger.ts'
import { timeline } from './runs.ts'

const DAY_MS = 24 * 60 * 60 * 1000
/** Days in the plot of runs, and most runs in it. */
const DAYS = 14
const MOST_RUNS = 1000
/** Most events that are counted. */
const MOST_EVENTS = 200

const paths: { readonly [kind: string]: string } = {
  references: '/references',
  plans: '/plans',
  approvals: '/approvals',
  waits: '/waits',
  threads: '/threads',
  runs: '/runs',
}

/** Usage of the tenant, and whether its ledger is valid. */
export async function overview({ runtime, isHosted = false }: Subject, _: Ask): Promise<Page> {
  const [usage, report, pending, answers, runs, events, hasNothing] = await Promise.all([
    runtime.usage(),
    runtime.approvals.verify(),
    runtime.approvals.pending({ limit: 100 }),
    runtime.waits.list({ kind: 'answer', limit: 100 }),
    runtime.runs.list({ limit: MOST_RUNS }),
    runtime.traces.list({ limit: MOST_EVENTS }),
    isEmpty(runtime),
  ])
  const newest = await storiesOf(runtime, runs.items.slice(0, 8))
  const questions = answers.items.filter(({ status }) => status === 'open').length
  const body = html`${hasNothing && html`<p class="notice warn" role="status">${emptyNotice}</p>`}${waiting(pending.items.length, pending.cursor, 'approval', html`for a decision. <a href="/approvals">Decide</a>`)}${waiting(questions, answers.cursor, 'question', html`for an answer. <a href="/waits">Answer</a>`)}
${verdictOf(report)}
<div class="panels">
<section class="card" aria-labelledby="storage"><h2 id="storage">Storage</h2>${storage(usage)}${eventCount(events)}</section>
<section class="card" aria-labelledby="tokens"><h2 id="tokens">Tokens</h2>${tokens(usage)}</section>
<section class="card" aria-labelledby="days"><h2 id="days">Runs by day</h2>${days(runs.items, Date.now())}</section>
<section class="card" aria-labelledby="limits"><h2 id="limits">Limits</h2>${limits(usage, isHosted)}</section>
</div>
<section aria-labelledby="newest"><h2 id="newest">Newest runs</h2>${runs.items.length === 0 ? nothing('There are no runs yet.') : timeline(newest)}</section>`
  return { title: 'Overview', section: '/', body }
}

/** Says that people are waited for. */
function waiting(number: number, cursor: string | undefined, thing: string, rest: Html): Html | false {
  const all = `${counted(number, thing)}${cursor === undefined ? '' : ' and more'}`
  return number > 0 && html`<p class="notice warn"><b>${all}</b> ${number === 1 ? 'waits' : 'wait'} ${rest}</p>`
}

function storage({ storage: kinds }: Usage): Html {
  // Events count for no quota, so the usage says nothing of them.
  const kept = Object.entries(kinds).filter(([kind]) => kind !== 'traces')
  const rows = kept.map(([kind, { items, bytes }]) => {
    const path = paths[kind]
    const label = `${size(bytes)}, ${counted(items, 'item')}`
    return { name: kind, value: bytes, label, ...(path === undefined ? {} : { path }) }
  })
  const all = rows.reduce((sum, { value }) => sum + value, 0)
  return bars(`${size(all)} in all, by kind`, rows)
}

/** Returns the number of events, which the usage does not include. */
function eventCount({ items, cursor }: ListPage<TraceEvent>): Html {
  const shown = cursor === undefined ? counted(items.length, 'event') : `more than ${count(items.length)} events`
  return html`<p class="quiet"><a href="/events">${shown}</a>, which count for no limit</p>`
}

function tokens({ tokens: models }: Usage): Html {
  const rows = Object.entries(models).map(([name, { inputTokens, outputTokens }]) => ({
    name,
    value: inputTokens + outputTokens,
    label: `${count(inputTokens)} read, ${count(outputTokens)} written`,
  }))
  return rows.length === 0 ? nothing('No model was asked yet.') : bars('Since the beginning, by model', rows)
}

function days(runs: readonly RunSummary[], now: number): Html {
  const today = Math.floor(now / DAY_MS)
  const rows = Array.from({ length: DAYS }, (_, at) => {
    const day = today - (DAYS - 1) + at
    const value = runs.filter(({ startedAt }) => Math.floor(startedAt / DAY_MS) === day).length
    return { name: new Date(day * DAY_MS).toISOString().slice(5, 10), value, label: counted(value, 'run') }
  })
  const most = Math.max(...rows.map(({ value }) => value))
  const newest = runs.length === MOST_RUNS ? `, of the newest ${count(MOST_RUNS)}` : ''
  return columns(`The last ${DAYS} days (UTC), at most ${count(most)} a day${newest}`, rows)
}

function limits({ limits: set, storage: kinds }: Usage, isHosted: boolean): Html {
  const bytes = Object.values(kinds).reduce((sum, kind) => sum + kind.bytes, 0)
  const rows = [
    ...(set.bytes === undefined ? [] : [['Bytes', `${size(bytes)} of ${size(set.bytes)}`] as const]),
    ...(set.valueBytes === undefined ? [] : [['One value', size(set.valueBytes)] as const]),
    ...(set.inFlightBytes === undefined ? [] : [['Under way at once', size(set.inFlightBytes)] as const]),
    ...(set.pendingApprovals === undefined ? [] : [['Pending approvals', count(set.pendingApprovals)] as const]),
    ...(set.run?.maxSteps === undefined ? [] : [['Steps of a run', count(set.run.maxSteps)] as const]),
    ...(set.run?.maxToolCalls === undefined ? [] : [['Tool calls of a run', count(set.run.maxToolCalls)] as const]),
  ]
  const note = html`<p class="quiet">Those that hold unless the host's spec sets others, which this page does not know.</p>`
  return html`${!isHosted && note}
<dl class="facts">${rows.map(([name, limit]) => html`<div><dt>${name}</dt><dd>${limit}</dd></div>`)}</dl>`
}
