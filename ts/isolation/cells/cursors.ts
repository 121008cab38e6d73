import type { Kind, Page, PageOptions, Runtime } from '../../index.ts'
import { answerOf, assertHolds, assertSame, IsolationError } from '../answers.ts'
import { openWait, withFixture } from '../environment.ts'
import type { CellPlan } from './cell.ts'

type List = (runtime: Runtime, page: PageOptions) => Promise<Page<unknown>>

/** `kind.verb` of every verb that answers a page: the type checker asks for a row below when there is another. */
type PagedVerb = { [K in Kind & keyof Runtime]: PagedVerbOf<K, Runtime[K]> }[Kind & keyof Runtime]
type PagedVerbOf<K extends string, Verbs> = {
  [V in keyof Verbs & string]: Verbs[V] extends (...parameters: never[]) => Promise<Page<unknown>> ? `${K}.${V}` : never
}[keyof Verbs & string]

/** Everything that is read in pages: each verb, and what it lists in other ways. */
const lists: { readonly [verb in PagedVerb]: List } & { readonly [list: `${PagedVerb} of ${string}`]: List } = {
  'references.list': ({ references }, page) => references.list(page),
  'references.list of a type': ({ references }, page) => references.list({ ...page, type: 'thing' }),
  'references.list of another type': ({ references }, page) => references.list({ ...page, type: 'other' }),
  'plans.list': ({ plans }, page) => plans.list(page),
  'approvals.pending': ({ approvals }, page) => approvals.pending(page),
  'approvals.history': ({ approvals }, page) => approvals.history(page),
  'threads.list': ({ threads }, page) => threads.list(page),
  'threads.list of an actor': ({ threads }, page) => threads.list({ ...page, actor: 'kim' }),
  'threads.messages': ({ threads }, page) => threads.messages('thread 0', page),
  'threads.messages of another thread': ({ threads }, page) => threads.messages('thread 1', page),
  'runs.list': ({ runs }, page) => runs.list(page),
  'runs.list of a status': ({ runs }, page) => runs.list({ ...page, status: 'completed' }),
  'traces.list': ({ traces }, page) => traces.list(page),
  'waits.list': ({ waits }, page) => waits.list(page),
  'waits.list of a kind': ({ waits }, page) => waits.list({ ...page, kind: 'answer' }),
}

/** For everything that is read in pages: a cursor of another tenant, or of another list, is worth what no cursor is worth. */
export function cursorCells(): CellPlan[] {
  return Object.entries(lists).map(([verb, ask]) => ({
    row: 'B1',
    kind: verb.replace(/\..*/, '') as Kind,
    verb,
    what: 'cursors of others are refused like malformed ones',
    attempt: (environment) =>
      withFixture(environment, async ({ own, foreign }) => {
        await fill(foreign)
        const foreignCursors = await cursorsOf(foreign)
        const good = foreignCursors.get(verb) ?? ''
        const strange = [...malformedLike(good), ...foreignCursors.values()]
        // Before the tenant's first write, too.
        await assertRefused(own, ask, strange)
        await fill(own)
        const ownCursors = await cursorsOf(own)
        const ofOtherLists = [...ownCursors].filter(([other]) => other !== verb).map(([, cursor]) => cursor)
        await assertRefused(own, ask, [...strange, ...ofOtherLists])
        for (const [runtime, cursor] of [[foreign, good] as const, [own, ownCursors.get(verb) ?? ''] as const]) {
          const { items } = await ask(runtime, { cursor })
          assertHolds(items.length > 0, 'A cursor led its own tenant nowhere.')
        }
      }),
  }))
}

function malformedLike(cursor: string): string[] {
  return [`${cursor.slice(0, -2)}AA`, cursor.slice(1), 'AAAA', 'not a cursor', cursor.toLowerCase(), `${cursor}A`]
}

async function assertRefused(runtime: Runtime, ask: List, cursors: readonly string[]): Promise<void> {
  const answers = await Promise.all(
    cursors.map((cursor) => answerOf(runtime, (asked) => ask(asked, { cursor }).then(() => 'a page'))),
  )
  for (const answer of answers) {
    assertSame('one cursor', answer, 'another', answers[0])
    assertHolds('error' in answer, 'A cursor that is not this list’s was taken.')
  }
}

/** Gives a tenant more than one of everything that is listed. */
async function fill(runtime: Runtime): Promise<void> {
  const { references, plans, approvals, threads } = runtime
  for (let number = 0; number < 2; number += 1) {
    await runtime.query('hello').result()
    await openWait(runtime, 'hello')
    await references.put('thing', number)
    await references.put('other', number)
    await plans.save({ type: 'launch', goal: 'Ship it', steps: [] })
    for (let asked = 0; asked < 2; asked += 1) {
      const { approvalId } = await approvals.request({ tool: 'refund', input: number })
      if (asked === 0) await approvals.respond(approvalId, { decision: 'reject', actor: 'kim' })
    }
    for (let length = 0; length < 2; length += 1) {
      const parts = [{ type: 'text', text: 'hello' }] as const
      await threads.append(`thread ${number}`, [{ role: 'user', parts, createdAt: 1, actor: 'kim' }])
    }
  }
}

async function cursorsOf(runtime: Runtime): Promise<Map<string, string>> {
  const cursors = new Map<string, string>()
  for (const [list, ask] of Object.entries(lists)) {
    const { cursor } = await ask(runtime, { limit: 1 })
    if (cursor === undefined) throw new IsolationError(`There is no next page of ${list}.`)
    cursors.set(list, cursor)
  }
  return cursors
}
