import { notFound } from '../../arguments/ids.ts'
import { hasEnded } from '../../common/run-statuses.ts'
import type { TokensByModel } from '../../types/events.ts'
import type { RunSummary } from '../../types/runs.ts'
import { Download } from '../download.ts'
import { Refusal } from '../refusal.ts'
import type { Ask, Subject } from '../request.ts'
import { readAct, tokenField } from '../view/form.ts'
import { type Html, html } from '../view/html.ts'
import type { Page } from '../view/layout.ts'
import { pathOf } from '../view/paths.ts'
import { storiesOf } from '../view/stories.ts'
import { chip, clipped, count, duration, facts, id, time } from '../view/values.ts'
import { forkPage, forkRun } from './fork.ts'
import { EVENTS, type JournalPart, readEvent, readLines, readPart } from './journal.ts'
import { stepList } from './steps.ts'
import { waterfall } from './waterfall.ts'

/** One run: what is known of it, its waterfall, and its steps; or what a part of its journal has, as a file. */
export async function oneRun(subject: Subject, ask: Ask, runId: string): Promise<Page | Download> {
  const { runtime } = subject
  const { search } = ask
  const run = await runtime.runs.get(runId)
  const [step, download] = [search.get('fork'), search.get('download')]
  if (step !== null) return await forkPage(subject, ask, run, step)
  if (download !== null) return await downloaded(subject, runId, download)
  const part = await readPart(runtime, runId, sequenceIn(search.get('from') ?? '0'))
  const path = pathOf('/runs', runId)
  const [story] = await storiesOf(runtime, [run])
  const shown = { runId, startedAt: run.startedAt, mayReplay: ask.person.mayAct && run.status !== 'running' }
  const body = html`${factsOf(run, story)}${!hasEnded(run.status) && cancelForm(runId, ask)}
<section aria-labelledby="waterfall"><h2 id="waterfall">Timeline</h2>${waterfall(part.nodes, part.events[0]?.at ?? 0, part.events.at(-1)?.at ?? 0)}</section>
<section aria-labelledby="steps"><h2 id="steps">Steps</h2>${stepList(part.nodes, shown)}
${partsOf(part, path)}<p><a href="${path}?download=events">Download all events</a> <span class="quiet">as JSON lines</span></p></section>`
  return { title: `Run of ${run.agent}`, section: '/runs', body }
}

function factsOf(run: RunSummary, story: { readonly question?: string; readonly answer?: string } | undefined): Html {
  return facts([
    ['Run', id(run.runId)],
    ['State', chip(run.status)],
    ['Asked', clipped(story?.question ?? '', 400) || undefined],
    ['Answer', clipped(story?.answer ?? '', 400) || undefined],
    ['Agent', run.agent],
    ['Asked by', run.actor],
    ['Thread', id(run.threadId, pathOf('/threads', run.threadId))],
    ['Started', time(run.startedAt)],
    ['Took', duration(run.updatedAt - run.startedAt)],
    ...tokenFacts(run.usage),
  ])
}

/** Links to the other parts of a long run. */
function partsOf({ events, newest }: JournalPart, path: string): Html | false {
  const [first, last] = [events[0]?.sequence ?? 0, events.at(-1)?.sequence ?? 0]
  if (first === 0 && last === newest) return false
  const link = (from: number, name: string) => html` <a href="${path}?from=${from}">${name}</a>`
  const newestPart = newest - (newest % EVENTS)
  return html`<p class="more">Events ${count(first)} to ${count(last)} of ${count(newest)}.${first > 0 && link(Math.max(0, first - EVENTS), 'Earlier ones')}${last < newest && link(last + 1, 'Later ones')}${last < newest && newestPart > last + 1 && link(newestPart, 'The newest')}</p>`
}

async function downloaded({ runtime }: Subject, runId: string, what: string): Promise<Download> {
  if (what === 'events') return new Download(`${runId}.jsonl`, await readLines(runtime, runId))
  const sequence = sequenceIn(what)
  return new Download(`${runId}-${sequence}.json`, JSON.stringify(await readEvent(runtime, runId, sequence)))
}

/** @throws NotFoundError for what is no place in a journal */
function sequenceIn(text: string): number {
  if (!/^(0|[1-9]\d{0,14})$/.test(text)) throw notFound()
  return Number(text)
}

/**
 * Cancels a run, or forks its thread before a step, and returns the path of the page that shows the result.
 *
 * @throws Refusal, and what `runs.cancel` and `threads.fork` reject with
 */
export async function changeRun(subject: Subject, ask: Ask, runId: string): Promise<string> {
  const { runtime } = subject
  const { act, step } = await readAct(ask, ['act'], ['step'])
  if (act !== 'cancel' && act !== 'fork') throw new Refusal(400, 'A run is cancelled or its thread forked here.')
  const run = await runtime.runs.get(runId)
  if (act === 'fork') return await forkRun(subject, run, step)
  if (hasEnded(run.status)) throw new Refusal(409, `This run has ended: it is ${run.status}.`)
  await runtime.runs.cancel(runId)
  return pathOf('/runs', runId)
}

function cancelForm(runId: string, ask: Ask): Html | false {
  if (!ask.person.mayAct) return false
  return html`<form method="post" action="${pathOf('/runs', runId)}">${tokenField(ask)}
<p class="buttons"><button class="reject" name="act" value="cancel">Cancel the run</button></p></form>`
}

function tokenFacts(usage: TokensByModel): (readonly [string, string])[] {
  return Object.entries(usage).map(([model, { inputTokens, outputTokens }]) => [
    `Tokens of ${model}`,
    `${count(inputTokens)} read, ${count(outputTokens)} written`,
  ])
}
