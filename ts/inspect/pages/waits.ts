import type { JsonValue } from '../../types/json.ts'
import type { WaitRecord } from '../../types/waits.ts'
import { Refusal } from '../refusal.ts'
import { type Ask, pageOf, type Subject } from '../request.ts'
import { actorField, readAct, tokenField } from '../view/form.ts'
import { type Html, html } from '../view/html.ts'
import type { Page } from '../view/layout.ts'
import { pathOf } from '../view/paths.ts'
import { chip, clipped, duration, facts, id, more, nothing, time, value } from '../view/values.ts'

/** Most waits that are read for one page of open ones. */
const MOST_READ = 500

/** Open waits, newest first, each with its form; with `?status=all` a table of all. */
export async function waits(subject: Subject, ask: Ask): Promise<Page> {
  const isAll = ask.search.get('status') === 'all'
  const { items, cursor } = await (isAll ? subject.runtime.waits.list(pageOf(ask)) : open(subject, ask))
  const none = nothing(isAll ? 'Nothing has waited yet.' : 'No call waits.')
  const list = isAll
    ? table(items)
    : html`<ul class="cards">${items.map((wait) => html`<li class="card">${question(wait)}${form(wait, ask)}</li>`)}</ul>`
  const body = html`<nav class="filters" aria-label="Waits by how they stand"><ul>
<li><a href="/waits"${!isAll && html` aria-current="true"`}>open</a></li>
<li><a href="/waits?status=all"${isAll && html` aria-current="true"`}>all</a></li></ul></nav>
${items.length === 0 ? none : list}${more('/waits', ask.search, cursor)}`
  return { title: 'Waits', section: '/waits', body }
}

/** One wait of any status. */
export async function oneWait({ runtime }: Subject, ask: Ask, waitId: string): Promise<Page> {
  const wait = await runtime.waits.get(waitId)
  const isOpen = wait.status === 'open'
  const body = html`${!isOpen && html`<p class="notice" role="status">This wait is ${wait.status}. <a href="/waits">To what waits</a></p>`}
<div class="card">${question(wait)}${isOpen && form(wait, ask)}</div>`
  return { title: 'Wait', section: '/waits', body }
}

/**
 * Settles or cancels a wait, and returns the path of the page that shows the result.
 *
 * @throws Refusal, and what `waits.settle` and `waits.cancel` reject with
 */
export async function endWait({ runtime }: Subject, ask: Ask, waitId: string): Promise<string> {
  const { act, actor, value: text, code, message } = await readAct(ask, ['act'], ['value', 'code', 'message'])
  if (act === 'settle') await runtime.waits.settle(waitId, { value: parsed(text) }, { actor })
  else if (act === 'fail') await runtime.waits.settle(waitId, { error: { code, message } }, { actor })
  else if (act !== 'cancel') throw new Refusal(400, 'Either settle, fail or cancel.')
  else if (!(await runtime.waits.cancel(waitId))) throw new Refusal(409, 'This wait is closed already.')
  return pathOf('/waits', waitId)
}

/** Open waits: pages are gone through until one has some. */
async function open({ runtime }: Subject, ask: Ask): ReturnType<Subject['runtime']['waits']['list']> {
  const { limit, ...from } = pageOf(ask, 20)
  let page = await runtime.waits.list({ limit, ...from })
  let read = page.items.length
  const isOpen = ({ status }: WaitRecord) => status === 'open'
  while (!page.items.some(isOpen) && page.cursor !== undefined && read < MOST_READ) {
    page = await runtime.waits.list({ limit, cursor: page.cursor })
    read += page.items.length
  }
  return { ...page, items: page.items.filter(isOpen) }
}

function table(items: readonly WaitRecord[]): Html {
  const rows = items.map(
    (
      wait,
    ) => html`<tr><td data-name="Wait"><a href="${pathOf('/waits', wait.waitId)}">${clipped(titleOf(wait))}</a><br><span class="quiet">${id(wait.waitId)}</span></td>
<td data-name="State">${chip(wait.status)}</td><td data-name="Tool">${wait.tool}</td>
<td data-name="Since">${time(wait.createdAt)}</td><td data-name="Until">${time(wait.dueAt ?? wait.expiresAt)}</td></tr>`,
  )
  return html`<table class="list"><thead><tr><th scope="col">Wait</th><th scope="col">State</th><th scope="col">Tool</th><th scope="col">Since</th><th scope="col">Until</th></tr></thead><tbody>${rows}</tbody></table>`
}

function titleOf({ kind, question: asked, name }: WaitRecord): string {
  if (kind === 'answer') return asked ?? 'An answer'
  return kind === 'event' ? `Event ${name ?? ''}` : 'A time'
}

function question(wait: WaitRecord): Html {
  const { value: given, error } = wait
  const title = titleOf(wait)
  const line = clipped(title)
  return html`<h2>${line}</h2>${line !== title && html`<p class="text">${title}</p>`}${facts([
    ['State', chip(wait.status)],
    ['Waits for', wait.kind],
    ['Asked is', wait.to],
    ['Choices', wait.choices?.join(', ')],
    ['Since', time(wait.createdAt)],
    wait.dueAt === undefined ? ['Settle before', time(wait.expiresAt)] : ['Until', time(wait.dueAt)],
    ['Settled', wait.settledAt === undefined ? undefined : time(wait.settledAt)],
    ['By', wait.actor],
    ['Call', wait.tool],
    ['Run', id(wait.runId, pathOf('/runs', wait.runId))],
    ['Thread', id(wait.threadId, pathOf('/threads', wait.threadId))],
    ['Wait', id(wait.waitId, pathOf('/waits', wait.waitId))],
  ])}
${wait.schema !== undefined && html`<details><summary>Schema of the value</summary>${value(wait.schema)}</details>`}
${given !== undefined && html`<p>Settled with</p>${value(JSON.stringify(given, undefined, 2))}`}
${error !== undefined && html`<p>${chip('failed')} ${error.code}: ${error.message}</p>`}`
}

function form(wait: WaitRecord, ask: Ask): Html | false {
  if (!ask.person.mayAct) return false
  const { waitId, kind, expiresAt } = wait
  const left = expiresAt - Date.now()
  const cancel = html`<button class="reject" name="act" value="cancel" formnovalidate>Cancel the wait</button>`
  const fields = html`${actorField(ask, waitId, 'kept with the outcome')}
${valueField(wait)}
<p class="buttons"><button class="approve" name="act" value="settle">Settle</button> ${cancel}
${left > 0 && html`<span class="quiet">${duration(left)} left</span>`}</p>
<details><summary>An error instead</summary>
<label for="code-${waitId}">Code</label><input id="code-${waitId}" name="code" maxlength="128">
<label for="message-${waitId}">Message</label><input id="message-${waitId}" name="message" maxlength="4000">
<p class="buttons"><button class="reject" name="act" value="fail">Settle with this error</button></p></details>`
  return html`<form method="post" action="${pathOf('/waits', waitId)}">${kind === 'time' ? html`${tokenField(ask)}<p class="buttons">${cancel}</p>` : fields}</form>`
}

function valueField({ waitId, choices }: WaitRecord): Html {
  const name = html`<label for="value-${waitId}">${choices === undefined ? html`Value <span class="quiet">as JSON: a text in quotes, such as &quot;Yes&quot;</span>` : 'Value'}</label>`
  if (choices === undefined) return html`${name}<textarea id="value-${waitId}" name="value" rows="2"></textarea>`
  const options = choices.map((choice) => html`<option value="${asciiJson(choice)}">${choice}</option>`)
  return html`${name}<select id="value-${waitId}" name="value">${options}</select>`
}

/** A text as JSON in which nothing is invisible: a page shows invisible characters by their number, and so would send them. */
function asciiJson(text: string): string {
  return JSON.stringify(text).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** @throws Refusal for what is no JSON */
function parsed(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    throw new Refusal(400, 'The value is no JSON. Put a text in quotes: "Yes".')
  }
}
