import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  createRuntime,
  defineRuntime,
  defineTenant,
  openStore,
  parseRuntimeSpec,
  type Runtime,
  SpecError,
} from '../../ts/index.ts'
import { codeOf, failureOf, visible } from '../support/failures.ts'
import { engines, freshFolder, openFresh, runtimeFor } from '../support/stores.ts'

/** Names that a careless store would take for one another, or for something else. All of them are allowed. */
const hostileNames = [
  ...[
    'acme',
    'Acme',
    'ACME',
    'acme ',
    ' acme',
    'ac me',
    'acme\u00a0',
    'acme\u200b',
    'acme\u00ad',
    '\u2060acme',
    'acme.',
    'acme/',
    'acme:',
  ],
  ...[
    'acme:v1',
    'acme|v1',
    'acme\u0080',
    'acme,globex',
    "acme'--",
    'acme"',
    'acme\\',
    'acme;',
    'acme=',
    'acme&',
    'acme#',
    'acme?',
    'acme~',
  ],
  ...[
    '*',
    '%',
    '_',
    '?',
    '.',
    '..',
    '...',
    '[a-z]',
    '$',
    '^',
    '.*',
    'a*',
    'a%',
    'a_',
    '{}',
    '#{x}',
    '%00',
    '%2f',
    '\\0',
    '\\u0000',
  ],
  ...[
    '../x',
    './x',
    'x',
    '/x',
    'a/b',
    'a//b',
    'a/./b',
    'a\\b',
    'C:',
    'con',
    'CON',
    'nul',
    'aux.txt',
    '~',
    '~/x',
    '-',
    '--',
    '-rf',
    '.git',
  ],
  ...[
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    'undefined',
    'null',
    'NaN',
    'true',
    '0',
    '-0',
    '1',
    '01',
    '1.0',
    '1e0',
  ],
  // Look-alikes: Cyrillic, full-width, mathematical, ligature, dotless, sharp s, Greek question mark's twin is refused.
  ...[
    '\u0430cme',
    '\uff41\uff43\uff4d\uff45',
    '\u{1d41a}cme',
    '\ufb01',
    'fi',
    'ss',
    '\u00df',
    '\u1e9e',
    'SS',
    'i',
    'I',
    '\u0131',
    '\u0130',
    'K',
    '\u00b5',
    '\u03bc',
  ],
  // One normalises to itself in NFC and to the other in NFKC.
  ...[
    '\u00e9',
    'e',
    '\u2460',
    '\u00b2',
    '2',
    '\u3000',
    '\u2003',
    '\u{1f600}',
    '\u{1f469}\u200d\u{1f467}',
    '\u{1f469}\u{1f467}',
    '\ufeff',
    '\ufffd',
    '\uffff',
    '\u{10ffff}',
  ],
  ...[
    'a'.repeat(255),
    'a'.repeat(256),
    'b'.repeat(256),
    '\u00e9'.repeat(128),
    '\u{1f600}'.repeat(64),
    `${'a'.repeat(255)}b`,
  ],
]

/** Names that are refused, because to keep them apart or to write them down is asking for trouble. */
const refusedNames = [
  ...['', 'a'.repeat(257), '\u00e9'.repeat(129), '\u{1f600}'.repeat(65), `${'a'.repeat(255)}\u00e9`],
  // Twins under NFC.
  ...[
    'e\u0301',
    'acm\u0065\u0301',
    '\u212b',
    '\u212a',
    '\u2126',
    '\u037e',
    '\u1fef',
    '\uf900',
    '\u0958',
    '\u0340',
    '\u1100\u1161',
    'a\u0323\u0302'.normalize('NFD'),
  ],
  ...Array.from({ length: 0x20 }, (_, code) => `acme${String.fromCharCode(code)}`),
  ...['acme\u007f', '\u0000', '\u0000acme', '\n'],
]

const surrogates = Array.from({ length: 0x800 }, (_, index) => String.fromCharCode(0xd800 + index))

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

describe.each(engines)('hostile names on %s', (engine) => {
  it('B3: none of them merge: the same content has another id under each, and no other resolves it', async () => {
    const store = await openFresh(engine)
    const names = [...new Set(hostileNames)]
    expect(names).toHaveLength(hostileNames.length)
    const runtimes: Runtime[] = []
    for (const name of names) runtimes.push(await runtimeFor(store, name))
    const content = { the: 'same' }
    const kept = await Promise.all(runtimes.map(({ references }) => references.put('thing', content)))
    await Promise.all(runtimes.map(({ cache }, index) => cache.set('same', index)))
    const ids = kept.map(({ id }) => id)
    expect(new Set(ids).size).toBe(names.length)
    for (const [index, { references, cache, tenant }] of runtimes.entries()) {
      expect(tenant.resourceId).toBe(names[index])
      const found = await references.resolveMany(ids)
      expect(found.map((one) => one !== undefined)).toEqual(ids.map((_, other) => other === index))
      expect((await references.list()).items.map(({ id }) => id)).toEqual([ids[index]])
      expect(await cache.get('same')).toBe(index)
    }
    // The version is no part of the identity.
    const later = await runtimeFor(store, names[0], 'v2')
    expect((await later.references.resolve(ids[0] as string)).json()).toEqual(content)
    expect((await store.stats()).alarms).toBe(0)
  })

  it("B1: a cursor of another tenant is refused exactly as a malformed one, also before the tenant's first write", async () => {
    const store = await openFresh(engine)
    const foreign = await runtimeFor(store, 'globex')
    for (let value = 0; value < 3; value += 1) await foreign.references.put('thing', value)
    const { cursor } = await foreign.references.list({ limit: 1 })
    if (cursor === undefined) throw new Error('There is a next page.')
    const own = await runtimeFor(store, 'acme')
    const malformed = [`${cursor.slice(0, -2)}AA`, cursor.slice(1), 'AAAA', 'not a cursor', cursor.toLowerCase()]
    for (let round = 0; round < 2; round += 1) {
      const refusal = visible(await failureOf(() => own.references.list({ cursor })))
      for (const bad of malformed)
        expect(visible(await failureOf(() => own.references.list({ cursor: bad })))).toEqual(refusal)
      expect(visible(await failureOf(() => own.references.list({ cursor, type: 'thing' })))).toEqual(refusal)
      await own.references.put('thing', 'own')
    }
    expect((await foreign.references.list({ cursor })).items).toHaveLength(2)
  })
})

describe('what lies on the disk', () => {
  const tenant = 'canary-tenant-5fd1'
  const secrets = ['canary-content-a81c', 'canary-key-77be', 'canary-cached-03dd', 'canarytype', 'canary/media', tenant]

  it('B10: no name, key, type or content of a tenant is in a file or a file name, nor the root key that was given', async () => {
    const path = join(freshFolder(), 'store')
    const rootKey = Buffer.from('canary-root-key-0123456789abcdef')
    const ids: string[] = []
    {
      await using store = await openStore(`sled:${path}`, { rootKey })
      const { references, cache } = await runtimeFor(store, tenant)
      for (const size of [1, 10, 1000, 400_000]) {
        const value = 'canary-content-a81c '.repeat(size)
        ids.push((await references.put('canarytype', value, { mediaType: 'canary/media' })).id)
        await cache.set(`canary-key-77be ${size}`, `canary-cached-03dd ${value}`)
      }
      await references.delete(ids[0] as string)
    }
    let bytes = 0
    for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
      const content = entry.isFile() ? await readFile(join(entry.parentPath, entry.name)) : Buffer.alloc(0)
      bytes += content.length
      for (const secret of [...secrets, rootKey.toString(), ...ids]) {
        const forms = [
          Buffer.from(secret),
          Buffer.from(secret, 'utf16le'),
          Buffer.from(Buffer.from(secret).toString('hex')),
          Buffer.from(Buffer.from(secret).toString('base64').replace(/.?=*$/, '')),
        ]
        for (const form of forms) {
          expect([entry.name, secret, content.includes(form)]).toEqual([entry.name, secret, false])
          expect(entry.name).not.toContain(form.toString())
        }
      }
    }
    expect(bytes).toBeGreaterThan(8_000_000)
    await using again = await openStore(`sled:${path}`, { rootKey })
    const found = await (await runtimeFor(again, tenant)).references.resolveMany(ids)
    expect(found.map((one) => one?.text().slice(0, 19))).toEqual([
      undefined,
      ...Array.from({ length: 3 }, () => 'canary-content-a81c'),
    ])
  })

  it("B1: no error of a tenant holds another's name, key or content", async () => {
    const store = await openFresh('sled')
    const foreign = await runtimeFor(store, tenant)
    const { id } = await foreign.references.put('canarytype', 'canary-content-a81c', { mediaType: 'canary/media' })
    await foreign.cache.set('canary-key-77be', 'canary-cached-03dd')
    const { cursor } = await (async () => {
      await foreign.references.put('thing', 1)
      return await foreign.references.list({ limit: 1 })
    })()
    const own = await runtimeFor(store, 'acme')
    const failures = [
      await failureOf(() => own.references.resolve(id)),
      await failureOf(() => own.references.describe(id)),
      await failureOf(() => own.references.list(cursor === undefined ? {} : { cursor })),
      await failureOf(() => own.query({ prompt: 'x', tenant }).result()),
    ]
    for (const failure of failures) {
      const text = `${failure.message} ${failure.stack} ${JSON.stringify(failure)} ${String(failure.cause)}`
      for (const secret of secrets) expect(text).not.toContain(secret)
    }
  })
})
