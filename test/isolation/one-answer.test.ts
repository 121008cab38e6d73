import { describe, expect, it } from 'vitest'
import { visible } from '../support/failures.ts'
import { engines, noon, openFresh, runtimeFor } from '../support/stores.ts'
import { cacheVerbs, referenceVerbs, situations } from './verbs.ts'

type EngineName = (typeof engines)[number]
type Ask = (typeof referenceVerbs)[string]

/** What a verb answers in a situation: a value, or all that can be seen of an error. */
async function answer(engine: EngineName, situation: string, ask: Ask): Promise<object> {
  const store = await openFresh(engine, {}, { now: noon })
  const [own, foreign] = await Promise.all([runtimeFor(store, 'acme'), runtimeFor(store, 'globex')])
  const arrange = situations[situation]
  if (arrange === undefined) throw new Error(`There is no situation ${situation}.`)
  const scene = await arrange({ own, foreign, store })
  // Times are the situation's; everything else must not tell one from the other.
  const before = (await own.references.list()).items.length
  const at = await store.stats()
  try {
    const value = await ask({ runtime: own, ...scene })
    return { value: withoutTimes(value), before, alarms: at.alarms }
  } catch (error) {
    return { error: visible(error as Error), before, alarms: at.alarms }
  }
}

function withoutTimes(value: unknown): unknown {
  const text = JSON.stringify(value, (key, member) =>
    key === 'createdAt' || key === 'expiresAt' ? typeof member : member,
  )
  return text === undefined ? undefined : JSON.parse(text)
}

const things = [
  ['references', referenceVerbs],
  ['cache', cacheVerbs],
] as const

describe.each(engines)('one answer on %s', (engine) => {
  describe.each(things)('of %s', (thing, verbs) => {
    it('B1: every verb has its cells', async () => {
      const runtime = await runtimeFor(await openFresh(engine))
      const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(runtime[thing]))
      expect(Object.keys(verbs).sort()).toEqual(methods.filter((name) => name !== 'constructor').sort())
    })

    it.each(Object.keys(verbs))(
      'B1: %s answers the same whether a thing is absent, expired, deleted or foreign',
      async (verb) => {
        const ask = verbs[verb] as Ask
        const reference = await answer(engine, 'absent', ask)
        for (const situation of Object.keys(situations)) {
          expect([situation, await answer(engine, situation, ask)]).toEqual([situation, reference])
        }
      },
    )
  })

  it('B2: nothing of a runtime or store lists or takes another tenant', async () => {
    const store = await openFresh(engine)
    const runtime = await runtimeFor(store)
    const membersOf = (value: object) =>
      Object.getOwnPropertyNames(Object.getPrototypeOf(value))
        .concat(Object.keys(value))
        .filter((name) => name !== 'constructor')
        .sort()
    // A new member is to be looked at here: whose data can it reach?
    expect(membersOf(store)).toEqual([
      'advance',
      'backup',
      'check',
      'close',
      'closed',
      'health',
      'publicKey',
      'stats',
      'sweep',
      'url',
    ])
    expect(membersOf(runtime)).toEqual([
      'approvals',
      'cache',
      'close',
      'erase',
      'plans',
      'query',
      'references',
      'spec',
      'tenant',
      'threads',
      'traces',
      'usage',
    ])
  })
})
