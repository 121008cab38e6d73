import { describe, expect, it } from 'vitest'
import type { Retention, Runtime } from '../../ts/index.ts'
import type { OpenStore } from '../../ts/runtime/store.ts'
import { kinds } from '../../ts/spec/limits.ts'
import { visible } from '../support/failures.ts'
import { engines, noon, openFresh, runtimeFor } from '../support/stores.ts'
import { runtimeWithAgent } from './agents.ts'
import { BRIEF_MS, type Cell, type Stage } from './situations.ts'
import { verbsByKind } from './things.ts'

const verbs = Object.values(verbsByKind).flatMap((ofKind) => Object.entries(ofKind ?? {}))

const briefly = Object.fromEntries(kinds.map((kind) => [kind, { ttlMs: BRIEF_MS }])) as Retention

/** Two tenants whom nobody has met before. */
async function freshStage(store: OpenStore, number: number): Promise<Stage> {
  return {
    store,
    own: await runtimeWithAgent(store, `acme ${number}`),
    brief: await runtimeWithAgent(store, `acme ${number}`, briefly),
    foreign: await runtimeWithAgent(store, `globex ${number}`),
  }
}

/** What a verb answers: a value, or all that can be seen of an error. */
async function answer(stage: Stage, { ask }: Cell): Promise<object> {
  try {
    return { value: shapeOf(await ask(stage)) }
  } catch (error) {
    return { error: visible(error as Error) }
  }
}

/** A value without what differs between two tenants who do the same: times, and what is random or keyed. */
function shapeOf(value: unknown): unknown {
  const text = JSON.stringify(value, (key, member) => {
    if (/At$|^at$/.test(key)) return typeof member
    if (key === 'note' || key === 'rootHash') return typeof member
    if (typeof member !== 'string') return member
    return member.replace(/^([a-z]+_)[a-z2-7]{32}$/, '$1').replace(/^[0-9a-f]{64}$/, 'hash')
  })
  return text === undefined ? undefined : JSON.parse(text)
}

function methodsOf(value: object): string[] {
  return Object.getOwnPropertyNames(Object.getPrototypeOf(value)).filter((name) => name !== 'constructor')
}

it('B1: every kind has its cells, as soon as a runtime has it, and every verb of it', async () => {
  const runtime = await runtimeFor(await openFresh('memory'))
  for (const kind of kinds) {
    expect(Object.keys(verbsByKind)).toContain(kind)
    const methods = kind in runtime ? methodsOf(runtime[kind as keyof Runtime] as object) : []
    const covered = verbs.map(([verb]) => verb.replace(/[ ,].*$/, '')).filter((verb) => verb.startsWith(`${kind}.`))
    expect([...new Set(covered)].sort()).toEqual(methods.map((method) => `${kind}.${method}`).sort())
  }
})

describe.each(engines)('one answer on %s', (engine) => {
  it.each(verbs)(
    'B1: %s answers the same whether a thing is absent, expired, deleted or foreign',
    async (_, { cells }) => {
      const store = await openFresh(engine, {}, { now: noon })
      const answers: [string, object][] = []
      for (const [number, cell] of cells.entries()) {
        answers.push([cell.situation, await answer(await freshStage(store, number), cell)])
      }
      const absent = answers[0]?.[1]
      for (const [situation, given] of answers) expect([situation, given]).toEqual([situation, absent])
      expect((await store.stats()).alarms).toBe(0)
    },
  )

  it('B1: what is there is another answer', async () => {
    const store = await openFresh(engine, {}, { now: noon })
    for (const [number, [verb, { cells, tells }]] of verbs.entries()) {
      const foreign = cells.find(({ situation }) => situation === 'foreign') as Cell
      const stage = await freshStage(store, number)
      const not = await answer(stage, foreign)
      // Now the tenant who asks is the one who has it.
      const own = await answer({ ...stage, own: stage.foreign }, foreign)
      if (tells) expect([verb, own]).not.toEqual([verb, not])
      else expect([verb, own]).toEqual([verb, not])
    }
  })

  it('B2: nothing of a runtime or store lists or takes another tenant', async () => {
    const store = await openFresh(engine)
    const runtime = await runtimeFor(store)
    const membersOf = (value: object) => methodsOf(value).concat(Object.keys(value)).sort()
    // A new member is to be looked at here: whose data can it reach?
    expect(membersOf(store)).toEqual([
      'advance',
      'backup',
      'check',
      'close',
      'closed',
      'health',
      'publicKey',
      'rotateRootKey',
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
      'runSpecialist',
      'runs',
      'spec',
      'tenant',
      'threads',
      'traces',
      'usage',
    ])
  })
})
