import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { run } from '../../../ts/cli/run.ts'
import { nearest } from '../../../ts/common/nearest.ts'
import { createRuntime, defineRuntime, defineTenant, openStore, setupStore } from '../../../ts/index.ts'
import { readStoreWord } from '../../../ts/store/store-word.ts'
import { failureOf } from '../../support/failures.ts'
import { freshFolder } from '../../support/stores.ts'

const secret = 'S3CRET-CANARY'

/** What people have in the environment variable of a database, and what is nearly that. */
const schemes = [
  'postgresql+asyncpg',
  'postgresql+psycopg2',
  'postgress',
  'postgre',
  'postgresq',
  'Postgres',
  'POSTGRESQL',
  'pg',
  'pgsql',
  'jdbc:postgresql',
  'jdbc:sqlite',
  'redis',
  'rediss',
  'mysql',
  'mongodb+srv',
  'file',
  'sqlite',
  'https',
  'sleds',
  'Sled',
  'Memory',
  'x-own',
]
const bodies = [
  `//me:${secret}@h:1/d`,
  `//:${secret}@h`,
  `///${secret}/d.db`,
  `./${secret}.db`,
  `${secret}`,
  `/${secret}`,
]
const keys = [
  ...['host', 'hostaddr', 'port', 'user', 'dbname', 'service', 'sslmode', 'options', 'application_name', 'passfile'],
  ...['Server', 'Data Source', 'Initial Catalog', 'User Id', 'Uid', 'Pwd', 'pw', 'url', 'DSN', 'token'],
]
const settings = keys.flatMap((key) => [
  `${key}=${secret}`,
  `${key} = '${secret}' password=${secret}`,
  `password=${secret};${key}=x`,
  `${key}=x;Pwd=${secret}`,
])
const unnamed = [
  `PGPASSWORD=${secret}`,
  `${secret}:x`,
  `${secret}=`,
  `me:${secret}@h`,
  `DATABASE_URL=${secret}`,
  `${secret}?x`,
]

/** Every one may be a secret, and names no store, with `sled:` before it neither. */
const known = [...schemes.flatMap((scheme) => bodies.map((body) => `${scheme}:${body}`)), ...settings]
const right = `postgres://me:${secret}@h/d`

const wrappings: ((word: string) => string)[] = [
  (word) => word,
  (word) => ` ${word}`,
  (word) => `"${word}"`,
  (word) => `'${word}`,
  (word) => `\t${word}\n`,
  (word) => `<${word}>`,
  (word) => `(${word})`,
  (word) => `sled:${word}`,
  (word) => `sled:"${word}"`,
]

/** All of them, wrapped alike. Whoever says sled: may call a directory as they like, unless it is known what it says. */
function wrapped(wrap: (word: string) => string): string[] {
  const more = wrap('').startsWith('sled:') ? [] : unnamed
  return [...known, ...more, ...(wrap(right) === right ? [] : [right])].map(wrap)
}

/** The test's own folder, in which nothing may be made. */
function standIn(): string {
  const [folder, before] = [freshFolder(), process.cwd()]
  process.chdir(folder)
  onTestFinished(() => process.chdir(before))
  return folder
}

test('neither openStore nor createRuntime creates a directory for a word that may be a secret, or repeats it', async () => {
  const folder = standIn()
  const spec = defineRuntime({ tenant: defineTenant('acme', 'v1') })
  for (const wrap of wrappings) {
    for (const word of wrapped(wrap)) {
      for (const open of [openStore, (store: string) => createRuntime(spec, { store })]) {
        const { code, message, stack } = await failureOf(() => open(word))
        expect([word, code]).toEqual([word, 'INVALID_INPUT'])
        expect(`${message} ${stack}`).not.toContain(secret)
        expect(message).toMatch(/postgres:\/\/|\.\/data|Leave out the quotes|process\.env/)
      }
    }
  }
  expect(readdirSync(folder)).toEqual([])
})

test('no command creates a directory for a word that may be a secret, or repeats it', async () => {
  const folder = standIn()
  const places: ((word: string) => string[])[] = [
    (word) => ['isolation', word],
    (word) => ['doctor', word],
    (word) => ['backup', word, './copy'],
    (word) => ['restore', './nothing', word],
    (word) => ['migrate', word, './moved'],
    (word) => ['inspect', word, '--tenant', 'acme'],
    (word) => ['runs', word, '--tenant', 'acme'],
    (word) => ['export', './nothing', word, '--tenant', 'acme'],
    (word) => ['erase', word, '--tenant', 'acme', '--confirm', 'acme'],
    (word) => ['erase', './nothing', '--tenant', 'acme', '--confirm', 'acme', '--receipt', word],
  ]
  for (const wrap of wrappings) {
    for (const word of wrapped(wrap)) {
      for (const place of places) {
        const told: string[] = []
        const tell = (text: string) => void told.push(text)
        const exit = await run(place(word), { print: tell, complain: tell, isInteractive: false })
        expect([place(word), exit]).toEqual([place(word), 2])
        expect(told.join('')).not.toContain(secret)
      }
    }
  }
  expect(readdirSync(folder)).toEqual([])
})

test('neither init nor a backup makes a directory that is called by a URL', async () => {
  const folder = standIn()
  const store = await openStore('memory:')
  onTestFinished(() => store.close())
  for (const wrap of wrappings.slice(0, 7)) {
    for (const word of known.map(wrap)) {
      const { code, message } = await failureOf(() => store.backup(word))
      expect([word, code]).toEqual([word, 'INVALID_INPUT'])
      expect(message).not.toContain(secret)
      const told: string[] = []
      const tell = (text: string) => void told.push(text)
      expect([word, await run(['init', word], { print: tell, complain: tell, isInteractive: false })]).toEqual([
        word,
        2,
      ])
      expect(told.join('')).not.toContain(secret)
    }
  }
  expect(readdirSync(folder)).toEqual([])
})

test('a word is parsed as a store, or its error does not repeat it', () => {
  const part = fc.constantFrom<string>(
    ...['postgres', '://', ':', '@', '=', ' ', '"', '/', './', 'host', 'sled:', 'memory:', 'x', ';', '\\'],
  )
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), fc.nat(8), (parts, at) => {
      const word = parts.toSpliced(at, 0, secret).join('')
      const read = readStoreWord(word)
      if (read.kind === 'refused') expect(read.problem).not.toContain(secret)
      if (read.kind === 'bare') expect(word).toMatch(/^[^\s"'=;:?&]+$/)
      if (read.kind === 'directory' && !read.isExplicit) expect(word).toMatch(/^(\.{1,2}[\\/]|\/|x:[\\/])/)
    }),
    { numRuns: 5000 },
  )
})

test('near misses are answered with the intended word', async () => {
  const hints: [string, string | RegExp][] = [
    ['postgress://me@h/d', 'that begins with postgres:// alone'],
    ['POSTGRES://me@h/d', 'in small letters'],
    ['postgresql+asyncpg://me@h/d', 'no driver in it'],
    [' postgres://me@h/d', 'Leave out the quotes, brackets and blanks'],
    ['"./data"', 'Leave out the quotes'],
    ['host=h password=p', 'written as one URL: postgres://role:password@host'],
    ['file:///tmp/x', 'its path alone: ./data'],
    ['redis://h', 'redis:'],
    ['Sled:./data', 'Did you mean sled:'],
    ['memory', 'Did you mean memory:?'],
    ['postgres', 'Did you mean postgres://…?'],
    ['data', 'write ./ before its name'],
    ['env:STORE_URL', 'process.env.NAME'],
    ['', 'An empty word is no store. A store is a path'],
  ]
  for (const [word, hint] of hints) expect((await failureOf(() => openStore(word))).message).toContain(hint)
  for (const word of ['postgress://me@h/d', './data', 'data', 'memory:', '']) {
    expect((await failureOf(() => setupStore(word))).message).toContain('postgres://')
  }
})

test('openStore and createRuntime take paths that are clearly paths, as every command does', async () => {
  const folder = standIn()
  mkdirSync(join(folder, 'in'))
  process.chdir('in')
  for (const path of ['./data', '../data', join(folder, 'other'), './host/x=y']) {
    const store = await openStore(path)
    expect(store.url).toBe(`sled:${path}`)
    await store.close()
    const runtime = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1') }), { store: path })
    await runtime.close()
    expect(await run(['doctor', path], { print: () => {}, complain: () => {}, isInteractive: false })).toBe(0)
  }
  expect(readStoreWord('C:\\data')).toEqual({ kind: 'directory', path: 'C:\\data', isExplicit: false })
  expect(readStoreWord('c:/data')).toMatchObject({ kind: 'directory' })
  for (const word of ['data', 'a/b', '.', '..']) expect(readStoreWord(word)).toMatchObject({ kind: 'bare' })
  for (const word of ['~/data', 'sled:~/data', 'sled://data', '$STORE', 'postgres%3A%2F%2Fu%3Apw%40h']) {
    expect(readStoreWord(word)).toMatchObject({ kind: 'refused' })
  }
})

test('the nearest word is a plausible typing error, otherwise none is suggested', () => {
  const known = ['doctor', 'backup', 'restore', 'isolation', 'analyst', 'a']
  const meant = ['docter', 'Doctor', 'bakup', 'restor', 'isolaton', 'anlyst', 'b', '', 'nothing', 'x'.repeat(100_000)]
  expect(meant.map((word) => nearest(word, known))).toEqual([
    ...['doctor', 'doctor', 'backup', 'restore', 'isolation', 'analyst'],
    ...[undefined, undefined, undefined, undefined],
  ])
})
