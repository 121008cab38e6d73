import { expect, it } from 'vitest'
import { kinds } from '../../ts/common/kinds.ts'
import type { Runtime } from '../../ts/index.ts'
import { verbsByKind } from '../../ts/isolation/resources.ts'
import { openFresh, runtimeFor } from '../support/stores.ts'

const verbs = Object.values(verbsByKind).flatMap((ofKind) => Object.keys(ofKind))

function methodsOf(value: object): string[] {
  return Object.getOwnPropertyNames(Object.getPrototypeOf(value)).filter((name) => name !== 'constructor')
}

it('every kind has its cells, as soon as a runtime has it, and every verb of it', async () => {
  const runtime = await runtimeFor(await openFresh('memory'))
  for (const kind of kinds) {
    expect(Object.keys(verbsByKind)).toContain(kind)
    const methods = kind in runtime ? methodsOf(runtime[kind as keyof Runtime] as object) : []
    const covered = verbs.map((verb) => verb.replace(/[ ,].*$/, '')).filter((verb) => verb.startsWith(`${kind}.`))
    expect([...new Set(covered)].sort()).toEqual(methods.map((method) => `${kind}.${method}`).sort())
  }
})

it('nothing of a runtime or store lists or takes another tenant', async () => {
  const store = await openFresh('memory')
  const runtime = await runtimeFor(store)
  const membersOf = (value: object) => methodsOf(value).concat(Object.keys(value)).sort()
  // A new member is to be looked at here: whose data can it reach?
  expect(membersOf(store)).toEqual([
    'advance',
    'backup',
    'check',
    'close',
    'compact',
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
    'waits',
  ])
})
