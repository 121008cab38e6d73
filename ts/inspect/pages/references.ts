import type { Reference } from '../../types/references.ts'
import { Download, endOf } from '../download.ts'
import { type Ask, pageOf, type Subject } from '../request.ts'
import { type Html, html } from '../view/html.ts'
import type { Page } from '../view/layout.ts'
import { pathOf } from '../view/paths.ts'
import { count, counted, excerpt, facts, id, more, nothing, size, time, value } from '../view/values.ts'

/** A larger value is not read for its page. */
const MOST_READ_BYTES = 1 << 20

/** References with their glimpses, newest first. */
export async function references({ runtime }: Subject, ask: Ask): Promise<Page> {
  const { items, cursor } = await runtime.references.list(pageOf(ask, 25))
  const cards = items.map(
    (reference) => html`<li class="card"><h2>${id(reference.id, pathOf('/references', reference.id))}</h2>
<p>${reference.type} <span class="quiet">${reference.mediaType}, ${size(reference.byteLength)}, ${time(reference.createdAt)}</span></p>
${glimpse(reference)}</li>`,
  )
  const body = html`${items.length === 0 ? nothing('There are no references yet.') : html`<ul class="cards">${cards}</ul>`}
${more('/references', ask.search, cursor)}`
  return { title: 'References', section: '/references', body }
}

/** One value: what is known of it, and its text if it is one; or the value, as a file. */
export async function oneReference({ runtime }: Subject, { search }: Ask, name: string): Promise<Page | Download> {
  const reference = await runtime.references.describe(name)
  if (search.has('download')) {
    const { bytes } = await runtime.references.resolve(name)
    return new Download(`${reference.id}.${endOf(reference.mediaType)}`, bytes)
  }
  const body = html`${facts([
    ['Reference', id(reference.id)],
    ['Type', reference.type],
    ['Media type', reference.mediaType],
    ['Size', `${size(reference.byteLength)} (${count(reference.byteLength)})`],
    ['Kept since', time(reference.createdAt)],
    ['Kept until', reference.expiresAt === null ? 'it is deleted' : time(reference.expiresAt)],
  ])}
<section aria-labelledby="glimpse"><h2 id="glimpse">Glimpse</h2>${glimpse(reference)}</section>
<section aria-labelledby="content"><h2 id="content">Content</h2>${await content({ runtime }, reference)}
<p><a href="${downloadOf(reference.id)}">Download</a> <span class="quiet">all ${counted(reference.byteLength, 'byte')}, as ${endOf(reference.mediaType)}</span></p></section>`
  return { title: `Reference of type ${reference.type}`, section: '/references', body }
}

/** Rows as a table, a text as text, everything else as JSON. */
export function glimpse({ glimpse: given }: Pick<Reference, 'glimpse'>): Html {
  const rows = rowsOf(given)
  if (rows === undefined) return value(textOf(given) ?? given)
  const names = Object.keys(rows.columns)
  const cell = (row: object, name: string) => {
    const held = Object.hasOwn(row, name) ? (row as { [name: string]: unknown })[name] : undefined
    return html`<td>${typeof held === 'string' ? held : (JSON.stringify(held) ?? '')}</td>`
  }
  return html`<div class="scroll" role="region" aria-label="First rows" tabindex="0"><table class="rows">
<caption>${count(rows.rows)} rows</caption>
<thead><tr>${names.map((name) => html`<th scope="col">${name}<br><span class="quiet">${rows.columns[name]}</span></th>`)}</tr></thead>
<tbody>${rows.first.map((row) => html`<tr>${names.map((name) => cell(row, name))}</tr>`)}</tbody></table></div>`
}

interface Rows {
  readonly rows: number
  readonly columns: { readonly [name: string]: string }
  readonly first: readonly object[]
}

/** The glimpse of rows. A host's own glimpse may have any shape. */
function rowsOf(given: unknown): Rows | undefined {
  if (!isObject(given)) return undefined
  const { rows, columns, first } = given
  const areRows = Array.isArray(first) && first.every(isObject) && typeof rows === 'number'
  const areColumns = isObject(columns) && Object.values(columns).every((type) => typeof type === 'string')
  return areRows && areColumns ? (given as unknown as Rows) : undefined
}

/** The head of a text, which a glimpse says after its length. */
function textOf(given: unknown): string | undefined {
  if (!isObject(given) || Object.keys(given).join() !== 'characters,text') return undefined
  const { text } = given
  return typeof text === 'string' ? text : undefined
}

function isObject(given: unknown): given is { readonly [name: string]: unknown } {
  return typeof given === 'object' && given !== null && !Array.isArray(given)
}

async function content({ runtime }: Pick<Subject, 'runtime'>, reference: Reference): Promise<Html> {
  if (reference.byteLength > MOST_READ_BYTES) return nothing('It is too large to be shown here.')
  const { bytes } = await runtime.references.resolve(reference.id)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return nothing('It is no text.')
  }
  return excerpt(text, downloadOf(reference.id))
}

function downloadOf(name: string): string {
  return `${pathOf('/references', name)}?download`
}
