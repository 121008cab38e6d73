import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { canonical } from '../../ts/ledger/canonical.ts'
import { fixtures, kinds, mutated } from '../ledger/fixtures.ts'
import { freshFolder } from '../support/stores.ts'
import { bailiwick, oneLine } from './command.ts'

const { publicKey, otherKey, origin } = fixtures
const othersOrigin = `${origin.slice(0, -1)}0`
/** Where no addon is: nothing that is tested here may look for one. */
const withoutAddon = { BAILIWICK_NATIVE_PATH: '/nowhere/bailiwick.node' }

/** Runs `verify` on a file with this content. */
function verify(content: unknown, ...options: string[]) {
  const file = join(freshFolder(), 'evidence.json')
  const isRaw = typeof content === 'string' || content instanceof Uint8Array
  writeFileSync(file, isRaw ? content : JSON.stringify(content))
  return bailiwick(['verify', file, ...options], withoutAddon)
}

/** The last of each kind is the richest. */
function richest<K extends (typeof kinds)[number]>(kind: K) {
  return fixtures[kind].at(-1) as (typeof fixtures)[K][number]
}

/** Another store's key, and what signs in its name. */
function otherStore() {
  const name = 'bailiwick/ffffffffffffffffffffffffffffffff'
  const { publicKey: key, privateKey } = generateKeyPairSync('ed25519')
  const typed = Buffer.concat([Buffer.of(1), key.export({ format: 'der', type: 'spki' }).subarray(-32)])
  const id = createHash('sha256').update(`${name}\n`).update(typed).digest().subarray(0, 4)
  return {
    publicKey: `${name}+${id.toString('hex')}+${typed.toString('base64')}`,
    note: (text: string) =>
      `${text}\n— ${name} ${Buffer.concat([id, sign(null, Buffer.from(text), privateKey)]).toString('base64')}\n`,
  }
}

describe('what holds', () => {
  test.each([
    ['inclusion', 'valid: inclusion proof'],
    ['consistency', 'valid: consistency proof'],
    ['receipt', 'valid: erase receipt'],
  ] as const)(
    '%s is recognised by its shape and verified, for people and as JSON, without the addon',
    async (kind, line) => {
      const plain = await verify(richest(kind), '--key', publicKey)
      expect([plain.code, plain.err]).toEqual([0, ''])
      expect(plain.out.split('\n').slice(0, 2)).toEqual([line, `  ledger  ${origin}`])
      const { code, out, err } = await verify(richest(kind), '--key', publicKey, '--origin', origin, '--json')
      expect([code, err]).toEqual([0, ''])
      expect(JSON.parse(out)).toMatchObject({ valid: true, kind, origin })
    },
  )

  test('shows the record that was proved, whatever characters are in it', async () => {
    const [proof] = fixtures.inclusion
    const { out } = await verify(proof, '--key', publicKey)
    expect(out).toContain('number 0 of 1, from 0: approved by "olive@example.com"')
    expect(out).toContain('reason  "Zoë said \\"go\\" 🚀\\u{a}\\u{1}\\u{7f}\\u{2028}"')
    expect(JSON.parse((await verify(proof, '--key', publicKey, '--json')).out).record).toEqual(proof?.record)
  })

  test('shows the rule of a decision, and who approved under it', async () => {
    const [proof] = fixtures.ruled
    const { out } = await verify(proof, '--key', publicKey)
    expect(out).toContain(
      'rule    1 of "olive@example.com", "żółć", "\\u{e000}" must approve, not "agent", "🚀", who asked',
    )
    expect(out).toContain('agreed  "olive@example.com", 20')
  })

  test('shows the contents of a receipt', async () => {
    const { out } = await verify(richest('receipt'), '--key', publicKey)
    expect(out).toContain('tenant  "acmé" (version "v1")')
    expect(out).toContain('beyond  "backups"')
  })
})

describe('what does not hold', () => {
  test.each(kinds)('%s under the key of another store', async (kind) => {
    const { code, out, err } = await verify(richest(kind), '--key', otherKey, '--json')
    expect([code, err]).toEqual([1, ''])
    expect(JSON.parse(out)).toEqual({ valid: false, kind, reason: 'proof' })
  })

  test.each(kinds)("%s of another tenant's ledger", async (kind) => {
    const { code, out, err } = await verify(richest(kind), '--key', publicKey, '--origin', othersOrigin)
    expect([code, err]).toEqual([1, ''])
    expect(out).toBe(
      `${out.match(/^not valid: this [a-z ]+ is signed, but for another ledger than asked for: /)?.[0]}${origin}\n`,
    )
  })

  test('a receipt that names no ledger, when one is asked for', async () => {
    const [receipt] = fixtures.receipt
    expect(Object.keys(receipt ?? {})).not.toContain('checkpoint')
    const { code, out } = await verify(receipt, '--key', publicKey, '--origin', origin)
    expect([code, out]).toEqual([1, expect.stringContaining('names no ledger')])
    expect((await verify(receipt, '--key', publicKey)).code).toBe(0)
  })

  test.each(kinds)('%s that was changed', async (kind) => {
    const changes = fixtures.mutations.filter((mutation) => mutation.of === kind && mutation.at !== undefined)
    expect(changes.length).toBeGreaterThan(3)
    for (const change of changes.slice(0, 4)) {
      const { code, out, err } = await verify(mutated(change), '--key', publicKey)
      expect([code, out, err]).toEqual([1, expect.stringMatching(/^not valid: [^\n]+\n$/), ''])
    }
  })
})

describe('what is nothing to verify', () => {
  const proof = JSON.stringify(richest('inclusion'))
  const twice = 'has a duplicate key'
  const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`

  test.each([
    ['an empty file', '', 'is not JSON'],
    ['text', 'Approved by Kim.', 'is not JSON'],
    ['half a proof', proof.slice(0, -10), 'is not JSON'],
    ['a proof and more', `${proof}\n${proof}`, 'is not JSON'],
    ['a NUL after a proof', `${proof}\0`, 'is not JSON'],
    ['NULs', '\0'.repeat(1000), 'is not JSON'],
    ['bytes that are no text', Uint8Array.of(0x7b, 0xff, 0x7d), 'is not UTF-8'],
    ['UTF-16', Buffer.from(proof, 'utf16le'), 'is not JSON'],
    ['another JSON object', '{"valid":true}', 'is neither'],
    ['a list of proofs', `[${proof}]`, 'is neither'],
    ['null', 'null', 'is neither'],
    ['a proof in __proto__', `{"__proto__":${proof}}`, 'has a key __proto__'],
    ['a proof as constructor', `{"constructor":{"prototype":${proof}}}`, 'is neither'],
    ['a deep list', deep(2_000_000), 'is nested more than 100 deep'],
    ['a deep record', proof.replace('"path":[', `"path":[${deep(100_000)},`), 'is nested more than 100 deep'],
    ['a __proto__ in the record', proof.replace('"record":{', '"record":{"__proto__":{},'), 'has a key __proto__'],
    ['a byte order mark', `\ufeff${proof}`, 'starts with a byte order mark'],
    ['a forged record before the real one', proof.replace('"record":', '"record":{"actor":"me"},"record":'), twice],
    ['a forged record behind it', proof.replace(/\}$/, ',"rec\\u006frd":{"actor":"me"}}'), twice],
    ['two actors', proof.replace('"actor":', '"\\u0061ctor":"me","actor":'), twice],
    ['two equal keys in a part that is not read', proof.replace(/^\{/, '{"more":[{"a":1,"a":1}],'), twice],
    ['a receipt of other shapes', '{"tenant":1,"erasedAt":1,"complete":true,"residues":1,"note":""}', 'is neither'],
  ])('refuses %s', async (_, content, message) => {
    const answer = await verify(content, '--key', publicKey)
    expect(answer).toEqual(oneLine)
    expect(answer.err).toContain(message)
    const asJson = await verify(content, '--key', publicKey, '--json')
    expect([asJson.code, asJson.err, JSON.parse(asJson.out).error.code]).toEqual([2, '', 'INPUT'])
  })

  test.each([['a path of a million hashes', proof.replace('"path":[', `"path":[${'"",'.repeat(1_000_000)}`)]])(
    '%s in a proof that held is not valid',
    async (_, content) => {
      expect(content).not.toBe(proof)
      expect(await verify(content, '--key', publicKey)).toMatchObject({ code: 1, err: '' })
    },
  )

  test('a file of 64 MiB is not read', async () => {
    const answer = await verify(Buffer.alloc(64 << 20, ' '), '--key', publicKey)
    expect(answer).toEqual(oneLine)
    expect(answer.err).toContain('has more than 8388608 bytes')
  })

  test('a missing file, and a directory', async () => {
    const folder = freshFolder()
    mkdirSync(join(folder, 'proof.json'))
    for (const [name, reason] of [
      ['none\u001b[2J.json', 'none\\u{1b}[2J.json cannot be read: there is no such file'],
      ['proof.json', 'it is a directory'],
    ] as const) {
      const answer = await bailiwick(['verify', join(folder, name), '--key', publicKey], withoutAddon)
      expect(answer).toEqual(oneLine)
      expect(answer.err).toContain(reason)
    }
  })

  test.each([
    [[], '--key is missing'],
    [['--key', ''], '--key is no verifier key'],
    [['--key', `${publicKey}x`], '--key is no verifier key'],
    [['--key', publicKey.replace('+', '-')], '--key is no verifier key'],
    [['--key', publicKey, '--origin', ''], '--origin is no origin'],
    [['--key', publicKey, '--origin', 'acme'], '--origin is no origin'],
  ])('refuses the options %j in one line', async (options, message) => {
    const answer = await verify(richest('inclusion'), ...options)
    expect(answer).toEqual(oneLine)
    expect(answer.err).toContain(message)
  })
})

test('a receipt signed by a key holder cannot write over the terminal', async () => {
  const store = otherStore()
  const unsigned = {
    tenant: { resourceId: 'acme\u001b[2K\u202e', version: '"\nvalid: ' },
    erasedAt: 9e15,
    storage: {},
    tokens: {},
    complete: true,
    residues: ['\u009b2J'],
  }
  const receipt = { ...unsigned, note: store.note(`bailiwick erase v1\n${canonical(unsigned)}\n`) }
  const { code, out } = await verify(receipt, '--key', store.publicKey)
  expect(code).toBe(0)
  expect(out.split('\n')).toEqual([
    'valid: erase receipt',
    '  tenant  "acme\\u{1b}[2K\\u{202e}" (version "\\"\\u{a}valid: ")',
    '  erased  9000000000000000',
    '  state   keys and rows are gone',
    '  beyond  "\\u{9b}2J"',
    '',
  ])
})
