import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { kinds } from '../../ts/common/kinds.ts'
import {
  createRuntime,
  defineRuntime,
  defineTenant,
  type NewMessage,
  parseRuntimeSpec,
  SpecError,
} from '../../ts/index.ts'
import { refusedNames, surrogates } from '../../ts/isolation/names.ts'
import { codeOf } from '../support/failures.ts'
import { engines, freshFolder, openFresh, runtimeFor } from '../support/stores.ts'

/** A valid spec's dump with a name in it that `defineTenant` might refuse. */
function dumpNaming(name: string): string {
  return JSON.stringify(defineRuntime({ tenant: defineTenant('placeholder', 'v1') })).replace(
    '"placeholder"',
    JSON.stringify(name),
  )
}

it('all 2,048 lone surrogates, alone and within, are refused wherever a tenant is named', () => {
  for (const surrogate of surrogates) {
    for (const name of [surrogate, `acme${surrogate}`, `${surrogate}acme`, `a${surrogate}b`]) {
      expect(() => defineTenant(name, 'v1')).toThrow(SpecError)
      expect(() => defineTenant('acme', name)).toThrow(SpecError)
    }
    // As the escape that JSON.stringify writes, which only the core sees.
    expect(() => parseRuntimeSpec(dumpNaming(surrogate))).toThrow(SpecError)
    expect(() =>
      parseRuntimeSpec(
        dumpNaming(surrogate).replace(/\\u(d...)/, (_, code) => String.fromCharCode(Number.parseInt(code, 16))),
      ),
    ).toThrow(SpecError)
  }
})

it('names that are ill-formed, not in NFC, too long or have controls are refused in TypeScript and in Rust', () => {
  for (const name of refusedNames) {
    expect(() => defineTenant(name, 'v1')).toThrow(SpecError)
    expect(() => defineTenant('acme', name)).toThrow(SpecError)
    expect(() => defineRuntime({ tenant: { resourceId: name, version: 'v1' } })).toThrow(SpecError)
    expect(() => parseRuntimeSpec(dumpNaming(name))).toThrow(SpecError)
  }
})

it('a refused tenant leaves no store behind', async () => {
  const path = join(freshFolder(), 'store')
  for (const name of [...surrogates.slice(0, 3), ...refusedNames]) {
    const create = async () =>
      createRuntime({ tenant: { resourceId: name, version: 'v1' } } as never, { store: `sled:${path}` })
    expect(await codeOf(create)).toBe('INVALID_INPUT')
    await expect(
      (async () =>
        createRuntime(defineRuntime({ tenant: { resourceId: name, version: 'v1' } }), { store: `sled:${path}` }))(),
    ).rejects.toThrow(SpecError)
  }
  expect(existsSync(path)).toBe(false)
})

/** A message of this text. */
function saying(text: string, actor: string): NewMessage {
  return { role: 'user', parts: [{ type: 'text', text }], createdAt: 1, actor }
}

describe.each(engines)('hostile names on %s', (engine) => {
  it('names with half a pair, and those that are too long, name nothing, and nothing is made of them', async () => {
    const runtime = await runtimeFor(await openFresh(engine))
    const { plans, approvals, threads, cache } = runtime
    const long = ['a'.repeat(257), '\u00e9'.repeat(129), `${'a'.repeat(255)}\u00e9`]
    const halves = [...surrogates.filter((_, index) => index % 64 === 0), 'a\udfffb']
    for (const name of [...long, ...halves, '']) {
      // An actor may have four times the bytes of a name.
      const actor = name.repeat(4)
      const makers = [
        () => plans.save({ type: 'launch', planId: name, goal: 'ship', steps: [] }),
        () => threads.append(name, [saying('hello', 'kim')]),
        () => threads.append('thread', [saying('hello', actor)]),
        () => threads.list({ actor }),
      ]
      for (const make of makers) expect(await codeOf(make)).toBe('INVALID_INPUT')
      const lookers = [() => plans.load(name), () => plans.history(name), () => threads.messages(name)]
      for (const look of lookers) expect(await codeOf(look)).toBe('NOT_FOUND')
      const about = name.isWellFormed() ? 'NOT_FOUND' : 'INVALID_INPUT'
      expect(await codeOf(() => approvals.request({ planId: name }))).toBe(about)
      expect(await threads.delete(name)).toBe(false)
    }
    for (const name of [...halves, '']) {
      expect(await codeOf(() => cache.set(name, 1))).toBe('INVALID_INPUT')
      expect(await codeOf(() => approvals.request({ tool: 'ship', input: 1 }, { requestedBy: name }))).toBe(
        'INVALID_INPUT',
      )
    }
    expect(Object.values((await runtime.usage()).storage).map(({ items }) => items)).toEqual(kinds.map(() => 0))
  })
})
