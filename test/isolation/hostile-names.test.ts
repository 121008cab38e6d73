import { Buffer } from 'node:buffer'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  createRuntime,
  defineRuntime,
  defineTenant,
  type NewMessage,
  parseRuntimeSpec,
  type Runtime,
  SpecError,
} from '../../ts/index.ts'
import { codeOf } from '../support/failures.ts'
import { engines, freshFolder, openFresh, runtimeFor } from '../support/stores.ts'
import { hostileNames, refusedNames, surrogates } from './names.ts'

/** A valid spec's dump with a name in it that `defineTenant` might refuse. */
function dumpNaming(name: string): string {
  return JSON.stringify(defineRuntime({ tenant: defineTenant('placeholder', 'v1') })).replace(
    '"placeholder"',
    JSON.stringify(name),
  )
}

it('M1: all 2,048 lone surrogates, alone and within, are refused wherever a tenant is named', () => {
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

it('M1: names that are ill-formed, not in NFC, too long or have controls are refused in TypeScript and in Rust', () => {
  for (const name of refusedNames) {
    expect(() => defineTenant(name, 'v1')).toThrow(SpecError)
    expect(() => defineTenant('acme', name)).toThrow(SpecError)
    expect(() => defineRuntime({ tenant: { resourceId: name, version: 'v1' } })).toThrow(SpecError)
    expect(() => parseRuntimeSpec(dumpNaming(name))).toThrow(SpecError)
  }
})

it('M1: a refused tenant leaves no store behind', async () => {
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
  it('B3: tenants of such names do not merge: each has its own of the same, under ids of its own', async () => {
    const store = await openFresh(engine)
    const names = [...new Set(hostileNames)]
    expect(names).toHaveLength(hostileNames.length)
    const runtimes: Runtime[] = []
    for (const name of names) runtimes.push(await runtimeFor(store, name))
    const content = { the: 'same' }
    const kept = await Promise.all(runtimes.map(({ references }) => references.put('thing', content)))
    const asked = await Promise.all(runtimes.map(({ approvals }) => approvals.request({ tool: 'ship', input: 1 })))
    await Promise.all(
      runtimes.map(async ({ cache, plans, threads }, index) => {
        await cache.set('same', index)
        await plans.save({ type: 'launch', planId: 'same', goal: `${index}`, steps: [] })
        await threads.append('same', [saying(`${index}`, 'same')])
      }),
    )
    const ids = kept.map(({ id }) => id)
    expect(new Set(ids).size).toBe(names.length)
    expect(new Set(asked.map(({ subjectHash }) => subjectHash)).size).toBe(names.length)
    for (const [index, runtime] of runtimes.entries()) {
      const { references, plans, approvals, cache, threads, traces, tenant } = runtime
      expect(tenant.resourceId).toBe(names[index])
      const found = await references.resolveMany(ids)
      expect(found.map((one) => one !== undefined)).toEqual(ids.map((_, other) => other === index))
      expect((await references.list()).items.map(({ id }) => id)).toEqual([ids[index]])
      expect(await cache.get('same')).toBe(index)
      expect((await plans.history('same')).map(({ goal }) => goal)).toEqual([`${index}`])
      expect((await plans.list()).items).toHaveLength(1)
      expect((await approvals.pending()).items).toEqual([asked[index]])
      expect((await threads.messages('same')).items).toMatchObject([{ parts: [{ text: `${index}` }] }])
      expect((await threads.list({ actor: 'same' })).items).toHaveLength(1)
      expect((await traces.list()).items.map(({ type }) => type).sort()).toEqual(['plan.saved', 'reference.created'])
    }
    // The version is no part of the identity.
    const later = await runtimeFor(store, names[0], 'v2')
    expect((await later.references.resolve(ids[0] as string)).json()).toEqual(content)
    expect((await store.stats()).alarms).toBe(0)
  })

  it('B3: things of such names do not merge: plans, threads, actors and cache keys are what they are, byte for byte', async () => {
    const runtime = await runtimeFor(await openFresh(engine))
    const { plans, approvals, threads, cache } = runtime
    // What no tenant may be called is a good name for these, twins under NFC and controls too.
    const names = [...hostileNames, ...refusedNames].filter((name) => name !== '' && Buffer.byteLength(name) <= 256)
    expect(names.length).toBe(new Set(names).size)
    for (const [index, name] of names.entries()) {
      expect((await plans.save({ type: 'launch', planId: name, goal: `${index}`, steps: [] })).version).toBe(1)
      expect(await threads.append(name, [saying(`${index}`, name)], { expectedLength: 0 })).toHaveLength(1)
      expect(await cache.get(name)).toBeUndefined()
      await cache.set(name, index)
    }
    for (const [index, name] of names.entries()) {
      expect(await plans.load(name)).toMatchObject({ planId: name, goal: `${index}` })
      const { approvalId } = await approvals.request({ planId: name }, { requestedBy: name })
      const record = await approvals.respond(approvalId, { decision: 'approve', actor: name, reason: name })
      expect(record).toMatchObject({ sequence: index, actor: name, reason: name, requestedBy: name })
      expect((await threads.messages(name)).items).toMatchObject([{ parts: [{ text: `${index}` }], actor: name }])
      expect((await threads.list({ actor: name })).items).toMatchObject([{ threadId: name, actor: name, length: 1 }])
      expect(await cache.get(name)).toBe(index)
    }
    expect((await plans.list({ limit: 1000 })).items).toHaveLength(names.length)
    expect((await threads.list({ limit: 1000 })).items).toHaveLength(names.length)
    expect(await approvals.verify()).toEqual({ ok: true, size: names.length, problems: [] })
    // Whoever takes one away has taken no other.
    for (const [index, name] of names.entries()) {
      expect([await threads.delete(name), await cache.delete(name)]).toEqual([true, true])
      expect((await threads.list({ limit: 1000 })).items).toHaveLength(names.length - index - 1)
    }
  })

  it('M4: names with half a pair, and those that are too long, name nothing, and nothing is made of them', async () => {
    const runtime = await runtimeFor(await openFresh(engine))
    const { plans, approvals, threads, cache } = runtime
    const long = ['a'.repeat(257), '\u00e9'.repeat(129), `${'a'.repeat(255)}\u00e9`]
    const halves = [...surrogates.filter((_, index) => index % 64 === 0), 'a\udfffb']
    for (const name of [...long, ...halves, '']) {
      const makers = [
        () => plans.save({ type: 'launch', planId: name, goal: 'ship', steps: [] }),
        () => threads.append(name, [saying('hello', 'kim')]),
        () => threads.append('thread', [saying('hello', name)]),
        () => threads.list({ actor: name }),
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
    expect(Object.values((await runtime.usage()).storage).map(({ items }) => items)).toEqual([0, 0, 0, 0, 0, 0, 0])
  })
})
