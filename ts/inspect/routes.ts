import { notFound } from '../arguments/ids.ts'
import type { Download } from './download.ts'
import { decide, inbox, oneApproval } from './pages/approvals.ts'
import { ledger, oneRecord } from './pages/ledger.ts'
import { overview } from './pages/overview.ts'
import { onePlan, plans } from './pages/plans.ts'
import { oneReference, references } from './pages/references.ts'
import { runs } from './pages/runs.ts'
import { oneThread, threads } from './pages/threads.ts'
import { traces } from './pages/traces.ts'
import { endWait, oneWait, waits } from './pages/waits.ts'
import { Refusal } from './refusal.ts'
import type { Ask, Subject } from './request.ts'
import { changeRun, oneRun } from './run/page.ts'
import type { Page } from './view/layout.ts'
import { nameIn } from './view/paths.ts'

/** Makes a page of a subject; `name` is the second part of the path, decoded. */
type Maker = (subject: Subject, ask: Ask, name: string) => Promise<Page | Download>

const lists: { readonly [section: string]: Maker } = {
  '': overview,
  runs,
  approvals: inbox,
  waits,
  plans,
  references,
  threads,
  events: traces,
  ledger,
}

const ones: { readonly [section: string]: Maker } = {
  runs: oneRun,
  approvals: oneApproval,
  waits: oneWait,
  plans: onePlan,
  references: oneReference,
  threads: oneThread,
  ledger: oneRecord,
}

/** What changes one thing, and returns the path that shows the result. */
const acts: { readonly [section: string]: (...given: Parameters<Maker>) => Promise<string> } = {
  approvals: decide,
  waits: endWait,
  runs: changeRun,
}

/**
 * Returns a page, a file, or the path of a redirect.
 *
 * @throws NotFoundError for every path that names nothing of this tenant; Refusal
 */
export async function answerFor(ask: Ask, subject: Subject): Promise<Page | Download | string> {
  const [, section = '', encoded, ...rest] = ask.path.split('/')
  if (rest.length > 0) throw notFound()
  if (!ask.isReading) {
    const act = Object.hasOwn(acts, section) ? acts[section] : undefined
    if (act === undefined || encoded === undefined) throw new Refusal(405, 'Only approvals, waits and runs take this.')
    return await act(subject, ask, decoded(encoded))
  }
  const makers = encoded === undefined ? lists : ones
  const make = Object.hasOwn(makers, section) ? makers[section] : undefined
  if (make === undefined) throw notFound()
  return await make(subject, ask, decoded(encoded ?? ''))
}

/** @throws NotFoundError for what is no text */
function decoded(part: string): string {
  const name = nameIn(part)
  if (name === undefined) throw notFound()
  return name
}
