import { describe, expect, it } from 'vitest'
import type { Kind, Page, Runtime } from '../../ts/index.ts'
import { failureOf, visible } from '../support/failures.ts'
import { engines, openFresh } from '../support/stores.ts'
import { runtimeWithAgent } from './agents.ts'

interface PageOptions {
  readonly limit?: number
  readonly cursor?: string
}

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
}

/** Gives a tenant more than one of everything that is listed. */
async function fill(runtime: Runtime): Promise<void> {
  const { references, plans, approvals, threads } = runtime
  for (let number = 0; number < 2; number += 1) {
    await runtime.query('hello').result()
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
    if (cursor === undefined) throw new Error(`There is no next page of ${list}.`)
    cursors.set(list, cursor)
  }
  return cursors
}

describe.each(engines)('cursors on %s', (engine) => {
  it.each(Object.entries(lists))(
    'B1: %s refuses the cursors of others as it does malformed ones',
    async (list, ask) => {
      const store = await openFresh(engine)
      const foreign = await runtimeWithAgent(store, 'globex')
      await fill(foreign)
      const foreignCursors = await cursorsOf(foreign)
      const good = foreignCursors.get(list) as string
      const malformed = [
        `${good.slice(0, -2)}AA`,
        good.slice(1),
        'AAAA',
        'not a cursor',
        good.toLowerCase(),
        `${good}A`,
      ]
      const own = await runtimeWithAgent(store, 'acme')
      const refusals = async (cursors: readonly string[]) => {
        const all = await Promise.all(cursors.map((cursor) => failureOf(() => ask(own, { cursor }))))
        return all.map(visible)
      }
      // Before the tenant's first write, too.
      const [first, ...rest] = await refusals([...malformed, ...foreignCursors.values()])
      for (const refusal of rest) expect(refusal).toEqual(first)

      await fill(own)
      const ownCursors = await cursorsOf(own)
      const ofOtherLists = [...ownCursors].filter(([other]) => other !== list).map(([, cursor]) => cursor)
      const [bad, ...others] = await refusals([...malformed, ...foreignCursors.values(), ...ofOtherLists])
      for (const refusal of others) expect(refusal).toEqual(bad)
      expect(bad).toMatchObject({ name: 'InvalidInputError' })

      expect((await ask(foreign, { cursor: good })).items.length).toBeGreaterThan(0)
      expect((await ask(own, { cursor: ownCursors.get(list) as string })).items.length).toBeGreaterThan(0)
    },
  )
})
