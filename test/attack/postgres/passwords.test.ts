import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import process from 'node:process'
import { expect, onTestFinished, test, vi } from 'vitest'
import { commands } from '../../../ts/cli/commands.ts'
import { run } from '../../../ts/cli/run.ts'
import { openStore, setupStore } from '../../../ts/index.ts'
import { command } from '../../cli/command.ts'
import { failureOf } from '../../support/failures.ts'

const secret = 'S3CRET-CANARY'

/** How the URL of a database is written, rightly and wrongly. */
const forms = [
  `postgres://me:${secret}@127.0.0.1:1/app`,
  `postgresql://me:${secret}@127.0.0.1:1/app`,
  `POSTGRES://me:${secret}@127.0.0.1:1/app`,
  `Postgresql://me:${secret}@127.0.0.1:1/app`,
  `postgres://127.0.0.1:1/app?user=me&password=${secret}`,
  `postgres://me:half@${secret}@127.0.0.1:1/app`,
  `postgres://me:${secret}@127.0.0.1:1/app?nonsense=${secret}`,
  `postgres://me:${secret}`,
  `postgres:/me:${secret}@127.0.0.1:1/app`,
  `postgres:me:${secret}@127.0.0.1:1/app`,
  `postgres//me:${secret}@127.0.0.1:1/app`,
  `postgres ://me:${secret}@127.0.0.1:1/app`,
  `postgress://me:${secret}@127.0.0.1:1/app`,
  `mysql://me:${secret}@127.0.0.1:1/app`,
  `jdbc:postgresql://127.0.0.1:1/app?user=me&password=${secret}`,
  `me:${secret}@127.0.0.1:1/app`,
  `host=127.0.0.1 port=1 user=me password=${secret}`,
  `password = '${secret}' host = 127.0.0.1`,
  `PASSWORD=${secret}`,
]

/** What comes before and after it by mistake. */
const wrappings: ((form: string) => string)[] = [
  (form) => form,
  (form) => ` ${form}`,
  (form) => `\t${form}\n`,
  (form) => `"${form}"`,
  (form) => `'${form}'`,
  (form) => `<${form}>`,
  (form) => `url=${form}`,
  (form) => `--url=${form}`,
  (form) => `--${form}`,
  (form) => `sled:${form}`,
  (form) => `sled:./${form}`,
  (form) => `./${form}`,
  (form) => `memory:${form}`,
  (form) => `env:${form}`,
]

/** Where it stands on a command line. */
const places: ((word: string) => string[])[] = [
  (word) => [word],
  (word) => [word, 'doctor'],
  ...[...commands.keys()].map((name) => (word: string) => [name, word]),
  (word) => ['doctor', '.', word],
  (word) => ['doctor', 'env:THE_STORE', word],
  (word) => ['backup', word, './nothing-here/copy'],
  (word) => ['backup', './nothing-here', word],
  (word) => ['restore', word, './nothing-here/copy'],
  (word) => ['restore', './nothing-here', word],
  (word) => ['migrate', word, './nothing-here'],
  (word) => ['migrate', './nothing-here', word],
  (word) => ['inspect', word, '--tenant', 'acme'],
  (word) => ['verify', word, '--key', 'bailiwick/a+00000000+AAAA', '--origin', 'a/0000000000000000'],
  (word) => ['doctor', './nothing-here', '--root-key-env', word],
  (word) => ['doctor', './nothing-here', `--root-key-env=${word}`],
  (word) => ['verify', './nothing-here', '--key', word],
  (word) => ['verify', './nothing-here', '--origin', word],
]

test.each(forms)('%#: no command repeats a password, wherever and however its URL is written', async (form) => {
  vi.stubEnv('BAILIWICK_ROOT_KEY', Buffer.alloc(32, 7).toString('base64'))
  onTestFinished(() => void vi.unstubAllEnvs())
  const before = readdirSync('.')
  for (const wrap of wrappings) {
    const word = wrap(form)
    for (const place of places) {
      // The word itself, and what an environment variable holds.
      // Only a store can be named so.
      const names = /^(init|verify)$/.test(place('')[0] ?? '') ? [word] : [word, 'env:THE_URL']
      for (const said of names) {
        vi.stubEnv('THE_URL', word)
        const told: string[] = []
        const tell = (text: string) => void told.push(text)
        const terminal = { print: tell, complain: tell, isInteractive: false }
        const words = place(said)
        for (const more of [[], ['--json']]) {
          const exit = await run([...words, ...more], terminal)
          expect([exit, words]).toEqual([2, words])
          expect(told.join('')).not.toContain(secret)
        }
      }
    }
  }
  expect(readdirSync('.')).toEqual(before)
})

test.each(forms)('%#: neither an error nor a directory has a password in it', async (form) => {
  const before = readdirSync('.')
  for (const wrap of wrappings) {
    for (const open of [(url: string) => openStore(url, { rootKey: new Uint8Array(32) }), setupStore]) {
      const { code, message, stack } = await failureOf(() => open(wrap(form)))
      expect(['INVALID_INPUT', 'STORE_UNAVAILABLE']).toContain(code)
      expect(`${message} ${stack}`).not.toContain(secret)
    }
  }
  expect(readdirSync('.')).toEqual(before)
})

test('a key in place of the name of its variable is not repeated', async () => {
  for (const rootKeyEnv of [`${secret}=`, `postgres://me:${secret}@h/x`, `-${secret}`]) {
    const { code, message } = await failureOf(() => openStore('memory:', { rootKeyEnv }))
    expect([code, message]).toEqual(['INVALID_INPUT', expect.not.stringContaining(secret)])
  }
})

test('paths are paths, whatever is in them', async () => {
  for (const path of ['./data', '/var/lib/a=b', 'C:\\data@home', 'sled:./me@home', './port', 'a@b', '../hosts/x=y']) {
    const told: string[] = []
    const tell = (text: string) => void told.push(text)
    expect(await run(['doctor', path], { print: tell, complain: tell, isInteractive: false })).toBe(2)
    expect(told.join('')).toContain('There is no store in')
  }
})

test('the list of processes does not show a password for long', async () => {
  // A server that says nothing: the command waits for it.
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const asked = once(server, 'connection')
  const child = spawn(process.execPath, [command, 'doctor', `postgres://me:${secret}@127.0.0.1:${port}/app`], {
    env: { ...process.env, BAILIWICK_ROOT_KEY: Buffer.alloc(32).toString('base64') },
    stdio: 'ignore',
  })
  onTestFinished(() => void [child.kill(), server.close()])
  await asked
  const { stdout } = spawnSync('ps', ['-ww', '-o', 'args=', '-p', String(child.pid)], { encoding: 'utf8' })
  expect(stdout).toContain('bailiwick')
  expect(stdout).not.toContain(secret)
})
