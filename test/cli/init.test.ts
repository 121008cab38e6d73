import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { packAll } from '../../scripts/pack/packages.mjs'
import { VERSION } from '../../ts/common/version.ts'
import { freshFolder } from '../support/stores.ts'
import { bailiwick, oneLine } from './command.ts'

const files = ['.gitignore', 'README.md', 'demo.js', 'main.js', 'package.json']

test('a project created by init installs, and its run continues after an approval and after kill -9, with one charge', async () => {
  const folder = freshFolder()
  const project = join(folder, 'My agents')
  const { code, out, err } = await bailiwick(['init', project])
  expect([code, err]).toEqual([0, ''])
  expect(out).toMatch(/^made: a project in "[^\n]+\n/)
  expect(out).toContain(`next: cd "${project}" && npm install && npm start\n`)
  expect(readdirSync(project).sort()).toEqual(files)
  const { name, dependencies } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'))
  expect([name, dependencies]).toEqual(['my-agents', { bailiwick: VERSION }])

  // The packed packages stand for the registry's.
  const packed = await packAll(join(folder, 'packed'))
  const execute = promisify(execFile)
  const options = ['--offline', '--no-audit', '--no-fund', '--loglevel=error', '--no-save']
  await execute('npm', ['install', ...options, packed.root, ...Object.values(packed.platforms)], { cwd: project })
  const start = () => execute('npm', ['start', '--silent'], { cwd: project }).catch((failed) => failed)
  const asked = "suspended { tool: 'charge', input: { customer: 'kim', euros: 42 } }\n"
  const printed = [asked, 'charged kim 42 euros, and now kill -9\n', 'completed Kim is charged 42 euros.\n', asked]
  for (const line of printed) expect((await start()).stdout).toBe(line)
  expect(readFileSync(join(project, 'charges.txt'), 'utf8')).toMatch(/^[0-9a-f]{64} kim 42 euros\n$/)
  expect(existsSync(join(project, 'data', 'root.key'))).toBe(true)
  const doctor = await bailiwick(['doctor', join(project, 'data'), '--json'])
  expect(JSON.parse(doctor.out)).toMatchObject({ ok: true, tenants: 1 })
})

test('init --json prints one object', async () => {
  const folder = freshFolder()
  const { code, out, err } = await bailiwick(['init', folder, '--json'])
  expect([code, err]).toEqual([0, ''])
  expect(JSON.parse(out)).toEqual({ folder, files: ['package.json', 'main.js', 'demo.js', 'README.md', '.gitignore'] })
  expect(readdirSync(folder).sort()).toEqual(files)
})

test('init without a folder is for the current one', async () => {
  const folder = freshFolder()
  const { code, out } = await bailiwick(['init'], {}, folder)
  expect(code).toBe(0)
  expect(out).toContain('next: npm install && npm start\n')
  expect(readdirSync(folder).sort()).toEqual(files)
})

test('init leaves existing files alone', async () => {
  const folder = freshFolder()
  writeFileSync(join(folder, 'mine'), 'mine')
  mkdirSync(join(folder, 'empty'))
  for (const [words, message] of [
    [['init', folder], 'There is something in'],
    [['init', join(folder, 'mine')], 'is a file'],
    [['init', join(folder, 'mine', 'below')], 'is a file'],
    [['init', ''], 'Name a folder'],
    [['init', join(folder, 'empty'), 'more'], 'more is one word too many'],
  ] as const) {
    const answer = await bailiwick(words)
    expect(answer).toEqual(oneLine)
    expect(answer.err).toContain(message)
  }
  expect(readdirSync(folder).sort()).toEqual(['empty', 'mine'])
  expect(readdirSync(join(folder, 'empty'))).toEqual([])
  expect(readFileSync(join(folder, 'mine'), 'utf8')).toBe('mine')
})
