import type { Approval } from '../../types/approvals.ts'
import { type Html, html } from './html.ts'

/** A time as people and machines read it. */
export function time(milliseconds: number): Html {
  const date = new Date(milliseconds)
  if (Number.isNaN(date.getTime())) return html`${milliseconds}`
  const iso = date.toISOString()
  return html`<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 19)}</time>`
}

/** Formats a duration, or a time since a start. */
export function duration(milliseconds: number): string {
  if (milliseconds < 1000) return `${milliseconds} ms`
  const seconds = milliseconds / 1000
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`
}

/** A size in bytes. */
export function size(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']
  let [value, unit] = [bytes, 0]
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1]
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}

/** A count with its digits in groups. */
export function count(number: number): string {
  return number.toLocaleString('en')
}

/** A number and what is counted. */
export function counted(number: number, thing: string): string {
  return `${count(number)} ${thing}${number === 1 ? '' : 's'}`
}

/** A text in one line, cut where it is long. */
export function clipped(text: string, most = 160): string {
  const line = text
    .slice(0, most * 4)
    .replace(/\s+/g, ' ')
    .trim()
  const letters = Array.from(line)
  return letters.length > most || text.length > most * 4 ? `${letters.slice(0, most).join('')}…` : line
}

/** JSON in lines, or text as it is. */
export function value(given: unknown): Html {
  return html`<pre tabindex="0">${textOf(given)}</pre>`
}

/** Most characters of a value that a page has, unless a person decides about it. */
export const MOST_SHOWN_CHARACTERS = 20_000

/** A value whose size is said, unfolded by a click. What is left out of a long one is said, with where all of it is. */
export function folded(name: string, given: unknown, whole?: string): Html {
  const text = textOf(given)
  return html`<details><summary>${name} <span class="quiet">${size(Buffer.byteLength(text))}</span></summary>${excerpt(text, whole)}</details>`
}

/** The beginning of a value, or all of one that is not long. `whole`: where all of it is. */
export function excerpt(given: unknown, whole?: string): Html {
  const text = textOf(given)
  if (text.length <= MOST_SHOWN_CHARACTERS) return value(text)
  // Not between the halves of a character.
  const shown = text.slice(0, MOST_SHOWN_CHARACTERS).replace(/[\ud800-\udbff]$/, '')
  const rest = `The first ${count(Buffer.byteLength(shown))} of ${count(Buffer.byteLength(text))} bytes are shown.`
  return html`${value(shown)}<p class="quiet">${rest}${whole !== undefined && html` <a href="${whole}">Download the whole</a>`}</p>`
}

/** A value in one line, cut where it is long: for a heading, below which all of it is. */
export function glimpsed(given: unknown, most = 80): string {
  const text = typeof given === 'string' ? given : JSON.stringify(given)
  return text === undefined || text === '{}' ? '' : clipped(text, most)
}

function textOf(given: unknown): string {
  return typeof given === 'string' ? given : (JSON.stringify(given, undefined, 2) ?? 'nothing')
}

/** A word for how something stands, with a colour that only repeats it. */
export function chip(word: string): Html {
  return html`<span class="chip ${tones[word] ?? 'plain'}">${word}</span>`
}

const tones: { readonly [word: string]: string } = {
  completed: 'good',
  approved: 'good',
  settled: 'good',
  valid: 'good',
  running: 'busy',
  executing: 'busy',
  pending: 'warn',
  open: 'warn',
  expired: 'warn',
  queued: 'plain',
  suspended: 'warn',
  interrupted: 'warn',
  limited: 'warn',
  failed: 'bad',
  rejected: 'bad',
  cancelled: 'plain',
  steered: 'plain',
}

/** An id, in full, with a link if there is a page for it. */
export function id(text: string, path?: string): Html {
  const shown = html`<code class="id">${text}</code>`
  return path === undefined ? shown : html`<a href="${path}">${shown}</a>`
}

/** Names and values. Values that are `undefined` are left out. */
export function facts(rows: readonly (readonly [name: string, value: Html | string | undefined])[]): Html {
  const shown = rows.flatMap(([name, given]) =>
    given === undefined ? [] : [html`<div><dt>${name}</dt><dd>${given}</dd></div>`],
  )
  return html`<dl class="facts">${shown}</dl>`
}

/** Text of an empty list. */
export function nothing(sentence: string): Html {
  return html`<p class="nothing">${sentence}</p>`
}

/** The link to the rest of a list. */
export function more(path: string, search: URLSearchParams, cursor: string | undefined): Html | undefined {
  if (cursor === undefined) return undefined
  const next = new URLSearchParams(search)
  next.set('cursor', cursor)
  return html`<p class="more"><a href="${path}?${next.toString()}">Go on with the list</a></p>`
}

/** The rule of an approval or of its record, and the people who have approved. */
export function ruleFacts({ rule, approvedBy = [] }: Pick<Approval, 'rule' | 'approvedBy'>): [string, Html | string][] {
  if (rule === undefined) return []
  const { to, quorum, requesters } = rule
  const people = approvedBy.map(
    ({ actor, at, reason }) => html`<li>${actor}, ${time(at)}${reason !== undefined && html`: ${reason}`}</li>`,
  )
  return [
    ['Must approve', quorum === 1 ? 'one person' : `${count(quorum)} different people`],
    ...(to === undefined ? [] : [['May decide', names(to)] as [string, Html]]),
    ...(requesters === undefined ? [] : [['May not decide', names(requesters)] as [string, Html]]),
    ...(people.length === 0 ? [] : [['Approved by', html`<ul>${people}</ul>`] as [string, Html]]),
  ]
}

function names(actors: readonly string[]): Html {
  return html`<ul>${actors.map((name) => html`<li>${name}</li>`)}</ul>`
}
