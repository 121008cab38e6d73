import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { describe, expect, test } from 'vitest'
import { filesBelow } from '../../scripts/lib/inputs.mjs'
import { run } from '../../ts/cli/run.ts'
import { openStore } from '../../ts/index.ts'
import { contents } from '../support/contents.ts'
import { freshDatabase } from '../support/databases.ts'
import { type EngineName, engines, freshFolder, freshUrl, runtimeFor } from '../support/stores.ts'
import { bailiwick, oneLine } from './command.ts'
import { damageValues, spoil } from './damage.ts'

/** The engines whose stores are there when their process has ended. */
const keeping = engines.filter((engine) => engine !== 'memory')

const content = 'content-canary'.repeat(1000)

/** A closed store of two tenants, and the id of something that the first has. */
async function fill(url: string): Promise<string> {
  await using store = await openStore(url)
  const acme = await runtimeFor(store, 'tenant-canary')
  const { id } = await acme.references.put('note', content)
  await (await runtimeFor(store, 'globex')).references.put('note', 'of globex')
  return id
}

async function filledStore(): Promise<{ directory: string; id: string; key: string }> {
  const directory = join(freshFolder(), 'store')
  const id = await fill(`sled:${directory}`)
  return { directory, id, key: readFileSync(join(directory, 'root.key')).toString('base64') }
}

async function filledUrl(engine: EngineName): Promise<{ url: string; id: string }> {
  const url = await freshUrl(engine)
  return { url, id: await fill(url) }
}

/** The root key of a store, as base64. */
function rootKeyOf(url: string): string {
  const kept = url.startsWith('sled:') ? readFileSync(join(url.slice('sled:'.length), 'root.key')) : undefined
  return kept?.toString('base64') ?? process.env['BAILIWICK_ROOT_KEY'] ?? ''
}

describe('doctor', () => {
  test.each(keeping)('%s: a sound store is reported as sound', async (engine) => {
    const { url } = await filledUrl(engine)
    const plain = await bailiwick(['doctor', url])
    expect([plain.code, plain.err]).toEqual([0, ''])
    expect(plain.out).toMatch(
      /^sound: every record is what was written\n {2}read {5}\d+ rows, \d+ bytes, .*\n {2}tenants {2}2\n$/,
    )
    const { code, out, err } = await bailiwick(['doctor', url, '--json'])
    expect([code, err]).toEqual([0, ''])
    expect(JSON.parse(out)).toMatchObject({ ok: true, tenants: 2, count: 0, problems: [] })
  })

  test('a path, and a URL that an environment variable holds', async () => {
    const { directory } = await filledStore()
    expect(await bailiwick(['doctor', directory])).toMatchObject({ code: 0, err: '' })
    for (const url of [directory, `sled:${directory}`]) {
      expect(await bailiwick(['doctor', 'env:THE_STORE'], { THE_STORE: url })).toMatchObject({ code: 0, err: '' })
    }
  })

  test('a database, while a host works on it', async () => {
    const { url, id } = await filledUrl('postgres')
    await using store = await openStore(url)
    expect(await bailiwick(['doctor', 'env:THE_STORE'], { THE_STORE: url })).toMatchObject({ code: 0, err: '' })
    expect((await (await runtimeFor(store, 'tenant-canary')).references.resolve(id)).text()).toBe(content)
  })

  test('a damaged store, without saying whose it is', async () => {
    const { directory } = await filledStore()
    damageValues(directory)
    const { code, out, err } = await bailiwick(['doctor', directory])
    expect([code, err]).toEqual([1, ''])
    expect(out).toMatch(/^damaged: see below; nothing was repaired\n/)
    expect(out).toMatch(/\n {2}problem {2}\S/)
    expect(out).not.toContain('canary')
    const asJson = JSON.parse((await bailiwick(['doctor', directory, '--json'])).out)
    expect(asJson).toMatchObject({ ok: false, problems: [expect.any(String)] })
  })

  test.each([0, 1, 2])('a store whose key %i is damaged', async (slot) => {
    const { directory } = await filledStore()
    // The `keys` file is slots of 256 bytes: the store's, then one for each tenant.
    spoil(join(directory, 'keys'), slot * 256 + 60)
    const { code, out, err } = await bailiwick(['doctor', directory, '--json'])
    expect([code, err]).toEqual([1, ''])
    const { ok, count, problems } = JSON.parse(out)
    expect([ok, problems.length]).toEqual([false, count])
    expect(count).toBeGreaterThan(0)
  })

  test('shows progress while a person waits, and erases it', async () => {
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

describe('compact', () => {
  test.each(keeping)('%s: says what rows take before and after, and the store is sound', async (engine) => {
    const { url } = await filledUrl(engine)
    const { code, out, err } = await bailiwick(['compact', url])
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(/^done: rows take \d+ bytes\n {2}before {2}\d+ bytes\n$/)
    const { bytesBefore, bytesAfter } = JSON.parse((await bailiwick(['compact', url, '--json'])).out)
    const isInFiles = engine === 'sled'
    expect([bytesBefore > 0, bytesAfter > 0]).toEqual([isInFiles, isInFiles])
    expect((await bailiwick(['doctor', url])).code).toBe(0)
  })
})

describe('a directory that somebody else has prepared', () => {
  const commands = ['doctor', 'compact', 'backup', 'restore', 'migrate']

  test.each(commands)('%s leaves it unchanged, and the targets of its links', async (command) => {
    const { directory } = await filledStore()
    for (const name of ['keys', 'mark', 'wal-1', 'root.key', 'manifest', 'tables', 'segments', 'values']) {
      const [folder, evil] = [freshFolder(), join(freshFolder(), 'evil')]
      cpSync(directory, evil, { recursive: true })
      renameSync(join(evil, name), join(folder, 'outside'))
      symlinkSync(join(folder, 'outside'), join(evil, name))
      const before = [contents(evil), contents(folder)]
      const words = ['doctor', 'compact'].includes(command) ? [command, evil] : [command, evil, join(folder, 'target')]
      const answer = await bailiwick(words)
      expect(answer).toEqual(oneLine)
      expect(answer.err).toContain(`${name} is a symbolic link`)
      expect([contents(evil), contents(folder)]).toEqual(before)
    }
  })

  test.each(['backup', 'restore'])('%s removes nothing but its own unfinished copy', async (command) => {
    const { directory, key } = await filledStore()
    const folder = freshFolder()
    const unfinished = join(folder, '.copy.unfinished')
    mkdirSync(unfinished)
    writeFileSync(join(unfinished, 'thesis.txt'), 'mine')
    const answer = await bailiwick([command, directory, join(folder, 'copy')], { BAILIWICK_ROOT_KEY: key })
    expect(answer).toEqual(oneLine)
    expect(answer.err).toContain('.copy.unfinished')
    expect(filesBelow(folder)).toEqual([join(unfinished, 'thesis.txt')])
  })
})

describe('backup and restore', () => {
  test.each(keeping)('%s: a copy is a store again, under the root key alone', async (engine) => {
    const { url, id } = await filledUrl(engine)
    const key = rootKeyOf(url)
    const folder = freshFolder()
    const [copy, again] = [join(folder, 'copy'), join(folder, 'again')]
    const made = await bailiwick(['backup', url, copy, '--json'])
    expect([made.code, made.err]).toEqual([0, ''])
    expect(JSON.parse(made.out)).toMatchObject({ directory: copy, rows: expect.any(Number) })
    expect(existsSync(join(copy, 'root.key'))).toBe(false)

    const keyless = await bailiwick(['restore', copy, again], { BAILIWICK_ROOT_KEY: undefined })
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
    expect((await acme.references.resolve(id)).text()).toBe(content)
  })

  test('a damaged backup is not restored', async () => {
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

  test('neither writes over existing files', async () => {
    const { directory, key } = await filledStore()
    for (const command of ['backup', 'restore']) {
      const answer = await bailiwick([command, directory, directory], { BAILIWICK_ROOT_KEY: key })
      expect(answer).toEqual(oneLine)
      expect(answer.err).toContain('Name another')
      const inside = await bailiwick([command, directory, join(directory, 'inside')], { BAILIWICK_ROOT_KEY: key })
      expect(inside).toEqual(oneLine)
      expect(inside.err).toContain('inside the other')
    }
  })
})

describe('a word alone', () => {
  test.each(['backup', 'restore', 'migrate', 'export'])('%s makes no directory of it', async (command) => {
    const { directory, key } = await filledStore()
    const tenant = command === 'export' ? ['--tenant', 'tenant-canary'] : []
    const folder = freshFolder()
    for (const word of ['nope', 'sledd', 'memory', 'postgress', 'verbose']) {
      const answer = await bailiwick([command, directory, word, ...tenant], { BAILIWICK_ROOT_KEY: key }, folder)
      expect(answer).toEqual(oneLine)
      expect(answer.err).toContain(`There is no directory "${word}", and a word alone makes none.`)
      expect(answer.err).toContain('write ./ before its name')
    }
    expect(readdirSync(folder)).toEqual([])
  })

  test('names a directory that is there, as does one with a separator', async () => {
    const { directory, key } = await filledStore()
    const folder = freshFolder()
    mkdirSync(join(folder, 'empty'))
    for (const word of ['empty', 'copies/monday']) {
      const answer = await bailiwick(['backup', directory, word], { BAILIWICK_ROOT_KEY: key }, folder)
      expect(answer).toMatchObject({ code: 0 })
      expect(existsSync(join(folder, word, 'format'))).toBe(true)
    }
  })
})

describe('what is no store', () => {
  test.each([
    [['doctor'], '<store> is missing'],
    [['doctor', ''], 'An empty word is no store'],
    [['doctor', 'memory:'], 'A store in memory is in its own process alone'],
    [['backup', 'memory:mine', './copy'], 'A store in memory is in its own process alone'],
    [['doctor', 'sled:'], 'sled: is no store'],
    [['doctor', 'env:'], 'env: needs the name of an environment variable'],
    [['doctor', 'env:NO_SUCH_VARIABLE'], 'The environment variable NO_SUCH_VARIABLE is not set'],
    [['setup', 'env:NO_SUCH_VARIABLE'], 'The environment variable NO_SUCH_VARIABLE is not set'],
    [['restore', 'memory:', './copy'], 'memory: is no directory'],
    [['restore', './copy', 'memory:'], 'memory: is no directory'],
    [['restore', './copy', 'postgres://role@db.example/app'], 'bailiwick migrate <directory> <url>'],
    [['doctor', './nothing-here\u001b'], 'There is no store in "./nothing-here\\u{1b}"'],
    [['backup', './nothing-here', './copy'], 'There is no store in "./nothing-here"'],
    [['restore', './nothing-here', './copy'], 'There is no store in "./nothing-here"'],
    [['backup', './nothing-here'], '<directory> is missing'],
    [['doctor', '.', '--root-key-env'], "Option '--root-key-env <value>' argument missing"],
  ])('refuses %j in one line', async (words, message) => {
    const answer = await bailiwick(words)
    expect(answer).toEqual(oneLine)
    expect(answer.err).toContain(message)
    expect(existsSync('nothing-here') || existsSync('copy')).toBe(false)
  })

  test('a store whose key is to be in a variable that is not set', async () => {
    const { directory } = await filledStore()
    const answer = await bailiwick(['doctor', directory, '--root-key-env', 'NO_SUCH_VARIABLE'])
    expect(answer).toEqual(oneLine)
    expect(answer.err).toContain('NO_SUCH_VARIABLE is not set')
  })

  test('neither a password nor a key in the wrong place is repeated', async () => {
    const url = 'postgres://role:password-canary@localhost:1/app'
    for (const words of [
      [url],
      ['doctor', url],
      ['doctor', '.', url],
      ['doctor', url.replace('postgres', 'postgress')],
      ['doctor', url.replace('//', '')],
      ['backup', '.', url],
      ['restore', url, './copy'],
      ['restore', './copy', url],
      ['inspect', url, '--tenant', 'acme'],
      ['isolation', url],
      ['setup', url],
      ['doctor', '.', '--root-key-env', 'a2V5LWNhbmFyeQ=='],
      ['doctor', 'env:key-canary'],
    ]) {
      const answer = await bailiwick(words, { BAILIWICK_ROOT_KEY: Buffer.alloc(32).toString('base64') })
      expect(answer).toEqual(oneLine)
      expect(answer.err).not.toMatch(/canary|a2V5/)
    }
  })

  test('a database without set-up or without a store is refused, and stays without a store', async () => {
    const bare = await freshDatabase('bare')
    const answer = await bailiwick(['doctor', bare.ownerUrl])
    expect(answer).toEqual(oneLine)
    expect(answer.err).toContain('bailiwick setup')
    const url = await freshUrl('postgres')
    for (const words of [
      ['doctor', url],
      ['backup', url, join(freshFolder(), 'copy')],
      ['inspect', url, '--tenant', 'acme'],
      ['doctor', url],
    ]) {
      const answer = await bailiwick(words)
      expect(answer).toEqual(oneLine)
      expect(answer.err).toContain('There is no store here yet')
    }
  })

  test('a database whose root key is not in the environment', async () => {
    const { url } = await filledUrl('postgres')
    const answer = await bailiwick(['doctor', url], { BAILIWICK_ROOT_KEY: undefined })
    expect(answer).toEqual(oneLine)
    expect(answer.err).toContain('BAILIWICK_ROOT_KEY')
  })

  test('a store that another process has open', async () => {
    const { directory } = await filledStore()
    await using _ = await openStore(`sled:${directory}`)
    const { code, out } = await bailiwick(['doctor', directory, '--json'])
    expect([code, JSON.parse(out).error.code]).toEqual([2, 'STORE_LOCKED'])
  })
})
