import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { inRoot } from '../../scripts/lib/root.mjs'
import { VERSION } from '../../ts/common/version.ts'
import { type Packed, packedPackages } from '../package/install.ts'
import { freshFolder } from '../support/stores.ts'
import { bailiwick, oneLine } from './command.ts'

const sources = ['agents', 'agents.test', 'http', 'main', 'models', 'payments', 'script', 'server', 'sign-in']
const typed = ['.gitignore', 'README.md', 'package.json', 'src', 'tsconfig.json']

/** Versions of what this package is tested with. */
const tested: Record<string, string> = JSON.parse(readFileSync(inRoot('package.json'), 'utf8')).devDependencies
const testedOf = (...names: string[]) => Object.fromEntries(names.map((name) => [name, tested[name]]))

/** A slow machine must not fail. */
const INSTALLING_MS = 600_000

describe('a project created by init', () => {
  let packed: Packed
  beforeAll(async () => {
    packed = await packedPackages()
  }, INSTALLING_MS)

  test(
    'installs, passes its test, and its run continues after an approval and after kill -9, with one charge',
    async () => {
      const folder = freshFolder()
      const project = join(folder, 'My agents')
      const { code, out, err } = await bailiwick(['init', project])
      expect([code, err]).toEqual([0, ''])
      expect(out).toMatch(/^made: a project in "[^\n]+\n/)
      expect(out).toContain(`next: cd "${project}" && npm install && npm start\n`)
      expect(readdirSync(project).sort()).toEqual(typed)
      expect(readdirSync(join(project, 'src')).sort()).toEqual(sources.map((name) => `${name}.ts`).sort())
      const { name, dependencies, devDependencies } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'))
      expect([name, dependencies]).toEqual(['my-agents', { bailiwick: VERSION, ...testedOf('zod') }])
      expect(devDependencies).toEqual(testedOf('@types/node', 'typescript'))

      // The packed packages stand for the registry's, and what is installed here for the rest.
      const execute = promisify(execFile)
      const options = ['--offline', '--no-audit', '--no-fund', '--loglevel=error', '--no-save']
      const others = ['zod', '@types/node', 'typescript'].map((other) => inRoot('node_modules', other))
      const packages = [packed.root, ...Object.values(packed.platforms), ...others]
      await execute('npm', ['install', ...options, ...packages], { cwd: project })
      const start = () => execute('npm', ['start', '--silent'], { cwd: project }).catch((failed) => failed)
      const asked = "suspended { tool: 'charge', input: { customer: 'kim', euros: 42 } }\n"
      const printed = [asked, 'charged kim 42 euros, and now kill -9\n', 'completed It is charged.\n']
      for (const line of printed) expect((await start()).stdout).toBe(line)
      expect(readFileSync(join(project, 'charges.txt'), 'utf8')).toMatch(/^[0-9a-f]{64} kim 42 euros\n$/)
      expect(existsSync(join(project, 'data', 'root.key'))).toBe(true)
      const doctor = await bailiwick(['doctor', join(project, 'data'), '--json'])
      expect(JSON.parse(doctor.out)).toMatchObject({ ok: true, tenants: 1 })

      expect((await execute('npm', ['test'], { cwd: project })).stdout).toMatch(/^. pass 2\n. fail 0$/m)
      // Each of those has checked the types first.
      writeFileSync(join(project, 'src', 'wrong.ts'), "import { spec } from './agents.ts'\nspec.agents.none\n")
      const types = execute('npm', ['run', 'types'], { cwd: project })
      await expect(types).rejects.toMatchObject({ stdout: expect.stringContaining('src/wrong.ts(2,13)') })
    },
    INSTALLING_MS,
  )
})

test('init --json prints one object', async () => {
  const folder = freshFolder()
  const { code, out, err } = await bailiwick(['init', folder, '--json'])
  expect([code, err]).toEqual([0, ''])
  const { folder: made, files } = JSON.parse(out)
  expect(made).toBe(folder)
  const expected = [...typed.filter((file) => file !== 'src'), ...sources.map((name) => `src/${name}.ts`)]
  expect(files.toSorted()).toEqual(expected.sort())
  expect(readdirSync(folder).sort()).toEqual(typed)
})

test('init without a folder is for the current one', async () => {
  const folder = freshFolder()
  const { code, out } = await bailiwick(['init'], {}, folder)
  expect(code).toBe(0)
  expect(out).toContain('next: npm install && npm start\n')
  expect(readdirSync(folder).sort()).toEqual(typed)
})

test('init --ts is the default, --js makes the same files in JavaScript, and both together are refused', async () => {
  const [plain, ts, js, both] = [freshFolder(), freshFolder(), freshFolder(), freshFolder()]
  for (const words of [[plain], [ts, '--ts'], [js, '--js']]) expect((await bailiwick(['init', ...words])).code).toBe(0)
  for (const name of sources) {
    const [one, other] = [plain, ts].map((folder) => readFileSync(join(folder, 'src', `${name}.ts`), 'utf8'))
    expect(one).toBe(other)
  }
  expect(readdirSync(js).sort()).toEqual(typed.filter((file) => file !== 'tsconfig.json'))
  expect(readdirSync(join(js, 'src')).sort()).toEqual(sources.map((name) => `${name}.js`).sort())
  const answer = await bailiwick(['init', both, '--ts', '--js'])
  expect(answer).toEqual(oneLine)
  expect(answer.err).toContain('--ts and --js exclude each other')
  const { error } = JSON.parse((await bailiwick(['init', both, '--ts', '--js', '--json'])).out)
  expect(error.code).toBe('USAGE')
  expect(readdirSync(both)).toEqual([])
})

test('init leaves existing files alone', async () => {
  const folder = freshFolder()
  writeFileSync(join(folder, 'mine'), 'mine')
  mkdirSync(join(folder, 'empty'))
  for (const [words, message] of [
    [['init', folder], 'is not empty; nothing was written'],
    [['init', join(folder, 'mine')], 'is a file'],
    [['init', join(folder, 'mine', 'below')], 'is a file'],
    [['init', ''], 'Name a folder'],
    [['init', join(folder, 'empty'), 'more'], 'Unexpected argument: more.'],
  ] as const) {
    const answer = await bailiwick(words)
    expect(answer).toEqual(oneLine)
    expect(answer.err).toContain(message)
  }
  expect(readdirSync(folder).sort()).toEqual(['empty', 'mine'])
  expect(readdirSync(join(folder, 'empty'))).toEqual([])
  expect(readFileSync(join(folder, 'mine'), 'utf8')).toBe('mine')
})
