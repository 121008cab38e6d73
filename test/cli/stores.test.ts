import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { filesBelow } from '../../scripts/lib/inputs.mjs'
import { run } from '../../ts/cli/run.ts'
import { openStore } from '../../ts/index.ts'
import { freshFolder, runtimeFor } from '../support/stores.ts'
import { bailiwick, oneLine } from './command.ts'

/** A closed store of two tenants, and the id of something that the first has. */
async function filledStore(): Promise<{ directory: string; id: string; key: string }> {
  const directory = join(freshFolder(), 'store')
  await using store = await openStore(`sled:${directory}`)
  const acme = await runtimeFor(store, 'tenant-canary')
  const { id } = await acme.references.put('note', 'content-canary'.repeat(1000))
  await (await runtimeFor(store, 'globex')).references.put('note', 'of globex')
  return { directory, id, key: readFileSync(join(directory, 'root.key')).toString('base64') }
}

/** Spoils the byte in the middle of every large value. */
function damageValues(directory: string): void {
  const files = filesBelow(join(directory, 'segments'))
  expect(files.length).toBeGreaterThan(0)
  for (const file of files) spoil(file, readFileSync(file).length >> 1)
}

function spoil(file: string, at: number): void {
  const bytes = readFileSync(file)
  bytes[at] = (bytes[at] ?? 0) ^ 0xff
  writeFileSync(file, bytes)
}

describe('doctor', () => {
  test.each([
    ['a path', ''],
    ['a URL', 'sled:'],
  ])('B6: %s of a sound store', async (_, scheme) => {
    const { directory } = await filledStore()
    const plain = await bailiwick(['doctor', `${scheme}${directory}`])
    expect([plain.code, plain.err]).toEqual([0, ''])
    expect(plain.out).toMatch(
      /^sound: every record is what was written\n {2}read {2}\d+ rows of 2 tenants, \d+ bytes\n$/,
    )
    const { code, out, err } = await bailiwick(['doctor', `${scheme}${directory}`, '--json'])
    expect([code, err]).toEqual([0, ''])
    expect(JSON.parse(out)).toMatchObject({ ok: true, tenants: 2, count: 0, problems: [] })
  })

  test('B10: a damaged store, without saying whose it is', async () => {
    const { directory } = await filledStore()
    damageValues(directory)
    const { code, out, err } = await bailiwick(['doctor', directory])
    expect([code, err]).toEqual([1, ''])
    expect(out).toMatch(/^damaged: see below; nothing was changed\n/)
    expect(out).toMatch(/\n {2}problem {2}\S/)
    expect(out).not.toContain('canary')
    const asJson = JSON.parse((await bailiwick(['doctor', directory, '--json'])).out)
    expect(asJson).toMatchObject({ ok: false, problems: [expect.any(String)] })
  })

  test.each([0, 1, 2])('B10: a store whose key %i is damaged', async (slot) => {
    const { directory } = await filledStore()
    // The `keys` file is slots of 256 bytes: the store's, then one for each tenant.
    spoil(join(directory, 'keys'), slot * 256 + 60)
    const { code, out, err } = await bailiwick(['doctor', directory, '--json'])
    expect([code, err]).toEqual([1, ''])
    const { ok, count, problems } = JSON.parse(out)
    expect([ok, problems.length]).toEqual([false, count])
    expect(count).toBeGreaterThan(0)
  })

  test('B6: says what it does while somebody waits, and wipes that away', async () => {
    const { directory } = await filledStore()
    const written: string[] = []
    const terminal = { print: () => {}, complain: (text: string) => void written.push(text), isInteractive: true }
    expect(await run(['doctor', directory], terminal)).toBe(0)
    expect([written[0], written.at(-1)]).toEqual(['\rReading every record … 0 s', '\r\u001b[K'])
    written.length = 0
    expect(await run(['doctor', directory, '--json'], terminal)).toBe(0)
    expect(written).toEqual([])
  })
})

describe('backup and restore', () => {
  test('B6: what was copied is a store again, under the root key alone', async () => {
    const { directory, id, key } = await filledStore()
    const folder = freshFolder()
    const [copy, again] = [join(folder, 'copy'), join(folder, 'again')]
    const made = await bailiwick(['backup', directory, copy, '--json'])
    expect([made.code, made.err]).toEqual([0, ''])
    expect(JSON.parse(made.out)).toMatchObject({ directory: copy, rows: expect.any(Number) })
    expect(existsSync(join(copy, 'root.key'))).toBe(false)

    const keyless = await bailiwick(['restore', copy, again])
    expect(keyless).toEqual(oneLine)
    expect(keyless.err).toContain('root key')
    expect(existsSync(again)).toBe(false)
    const wrong = { THE_KEY: Buffer.alloc(32).toString('base64') }
    expect(await bailiwick(['restore', copy, again, '--root-key-env', 'THE_KEY'], wrong)).toEqual(oneLine)
    const restored = await bailiwick(['restore', copy, again, '--root-key-env', 'THE_KEY'], { THE_KEY: key })
    expect([restored.code, restored.err]).toEqual([0, ''])
    expect(restored.out).toMatch(/^restored: a store in "/)

    await using store = await openStore(`sled:${again}`, { rootKey: Buffer.from(key, 'base64') })
    const acme = await runtimeFor(store, 'tenant-canary')
    expect((await acme.references.resolve(id)).text()).toBe('content-canary'.repeat(1000))
  })

  test('B10: a damaged backup is not restored', async () => {
    const { directory, key } = await filledStore()
    const folder = freshFolder()
    const [copy, again] = [join(folder, 'copy'), join(folder, 'again')]
    await bailiwick(['backup', directory, copy])
    damageValues(copy)
    const { code, out } = await bailiwick(['restore', copy, again], { BAILIWICK_ROOT_KEY: key })
    expect(code).toBe(1)
    expect(out).toMatch(/^damaged/)
    expect(readdirSync(folder)).toEqual(['copy'])
  })

  test('B6: neither goes where something is', async () => {
    const { directory, key } = await filledStore()
    for (const command of ['backup', 'restore']) {
      const answer = await bailiwick([command, directory, directory], { BAILIWICK_ROOT_KEY: key })
      expect(answer).toEqual(oneLine)
      expect(answer.err).toContain('Name another')
    }
  })
})

describe('what is no store', () => {
  test.each([
    [['doctor'], '<store> is missing'],
    [['doctor', ''], 'is no store in a directory'],
    [['doctor', 'memory:'], 'memory: is no store in a directory'],
    [['doctor', 'sled:'], 'sled: is no store in a directory'],
    [['doctor', './nothing-here\u001b'], 'There is no store in ./nothing-here\\u{1b}'],
    [['backup', './nothing-here', './copy'], 'There is no store in ./nothing-here'],
    [['restore', './nothing-here', './copy'], 'There is no store in ./nothing-here'],
    [['backup', './nothing-here'], '<directory> is missing'],
    [['doctor', '.', '--root-key-env'], "Option '--root-key-env <value>' argument missing"],
  ])('CLI: %j', async (words, message) => {
    const answer = await bailiwick(words)
    expect(answer).toEqual(oneLine)
    expect(answer.err).toContain(message)
    expect(existsSync('nothing-here') || existsSync('copy')).toBe(false)
  })

  test('CLI: a store whose key is to be in a variable that is not set', async () => {
    const { directory } = await filledStore()
    const answer = await bailiwick(['doctor', directory, '--root-key-env', 'NO_SUCH_VARIABLE'])
    expect(answer).toEqual(oneLine)
    expect(answer.err).toContain('NO_SUCH_VARIABLE is not set')
  })

  test('B6: a store that another process has open', async () => {
    const { directory } = await filledStore()
    await using _ = await openStore(`sled:${directory}`)
    const { code, out } = await bailiwick(['doctor', directory, '--json'])
    expect([code, JSON.parse(out).error.code]).toEqual([2, 'STORE_LOCKED'])
  })
})
