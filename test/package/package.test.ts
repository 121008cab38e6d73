import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { copyFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { publicEntries } from '../../scripts/lib/entries.mjs'
import { filesBelow } from '../../scripts/lib/inputs.mjs'
import { addonFile, platformName } from '../../scripts/lib/platform.mjs'
import { inRoot } from '../../scripts/lib/root.mjs'
import { tool } from '../../scripts/lib/run.mjs'
import { targets } from '../../scripts/lib/targets.mjs'
import { runNode } from '../support/run-node.ts'
import { installIntoEmptyProject, nodesUnderTest } from './install.ts'

const platformPackage = `@bailiwick/${platformName()}`
let project: string

beforeAll(async () => {
  project = await installIntoEmptyProject()
})
afterAll(() => rmSync(project, { recursive: true, force: true }))

function installed(name: string): string {
  return join(project, 'node_modules', name)
}

function manifestOf(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(installed(name), 'package.json'), 'utf8'))
}

function filesOf(folder: string): string[] {
  return filesBelow(folder).map((file) => relative(folder, file).split(sep).join('/'))
}

describe.each(nodesUnderTest())('on Node %s', (major, executable) => {
  test('the executable is of that version', async () => {
    expect(await runNode(['-p', 'process.versions.node.split(".")[0]'], project, executable)).toBe(`${major}\n`)
  })

  test('the addon of the platform package loads', async () => {
    const script = `Object.keys(require('${platformPackage}')).length > 0`
    expect(await runNode(['-p', script], project, executable)).toBe('true\n')
  })

  test('the installed command runs', async () => {
    const command = join(project, 'node_modules', '.bin', 'bailiwick')
    expect(await runNode([command, '--version'], project, executable)).toBe(`${manifestOf('bailiwick')['version']}\n`)
    expect(await runNode([command, 'verify', '--help'], project, executable)).toContain('--key')
  })

  test.each(['import.mjs', 'require.cjs'])('the packed packages work by %s', async (script) => {
    const printed = JSON.parse(await runNode([script], project, executable))
    expect(printed).toEqual({
      tenant: { resourceId: 'acme', version: 'v1' },
      refused: 'SPEC_INVALID',
      found: { hello: 'world' },
    })
  })
})

describe('published packages', () => {
  test('nothing but the two packages gets installed', () => {
    expect(readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual([
      '@bailiwick',
      'bailiwick',
    ])
    expect(readdirSync(join(project, 'node_modules', '@bailiwick'))).toEqual([platformName()])
  })

  test('the root package holds the files of this list', () => {
    const files = filesOf(installed('bailiwick'))
    const entries = publicEntries().map(({ output }) => `dist/${output}.js`)
    const sources = new Set(filesOf(inRoot('ts')).map((file) => `dist/${file.replace(/\.ts$/, '.d.ts')}`))
    const declarations = files.filter((file) => sources.has(file))
    expect(declarations).toEqual(expect.arrayContaining(entries.map((file) => file.replace(/\.js$/, '.d.ts'))))
    // What only passes on names of others has no map.
    const bundles = [...entries, ...entries.map((file) => `${file}.map`).filter((map) => files.includes(map))]
    const shared = files.filter((file) => /^dist\/shared\/[a-zA-Z-]+\d?\.js(\.map)?$/.test(file))
    const documents = [
      'CHANGELOG.md',
      'LICENSE-APACHE',
      'LICENSE-MIT',
      'README.md',
      'THIRD-PARTY-LICENSES.txt',
      'package.json',
    ]
    expect(files.sort()).toEqual([...declarations, ...bundles, ...shared, ...documents].sort())
  })

  test('the platform package holds the addon and its licences only', () => {
    const files = ['LICENSE-APACHE', 'LICENSE-MIT', 'THIRD-PARTY-LICENSES.txt', addonFile, 'package.json']
    expect(filesOf(installed(platformPackage)).sort()).toEqual(files.sort())
  })

  test.each([
    ['bailiwick', 'zod', 'MIT License'],
    [platformPackage, 'sled', 'Apache License'],
  ])('%s lists its components, %s among them, with the licences', (name, inside, licence) => {
    const text = readFileSync(join(installed(name), 'THIRD-PARTY-LICENSES.txt'), 'utf8')
    expect(text).toMatch(new RegExp(`^${inside} \\d+\\.\\d+\\.\\d+: .*MIT`, 'm'))
    expect(text).toContain(licence)
  })

  test.each(['bailiwick', platformPackage])('%s has no scripts that run on installing', (name) => {
    expect(manifestOf(name)['scripts']).toBeUndefined()
    // npm would compile a package that has this file.
    expect(filesOf(installed(name))).not.toContain('binding.gyp')
  })

  test('the root asks for exactly its own version of every platform package', () => {
    const { version, optionalDependencies } = manifestOf('bailiwick')
    const platforms = targets().map(({ name }) => [`@bailiwick/${name}`, version])
    expect(optionalDependencies).toEqual(Object.fromEntries(platforms))
    expect(manifestOf(platformPackage)['version']).toBe(version)
  })

  test('npx finds the command', async () => {
    const { stdout } = await promisify(execFile)('npx', ['--no-install', 'bailiwick', '--version'], { cwd: project })
    expect(stdout).toBe(`${manifestOf('bailiwick')['version']}\n`)
  })

  test.each([
    'bailiwick',
    'bailiwick/ag-ui',
    'bailiwick/ai-sdk',
    'bailiwick/ai-sdk/browser',
    'bailiwick/isolation',
    'bailiwick/mcp',
    'bailiwick/testing',
  ])('importing %s does not load the addon', async (name) => {
    const script = `import '${name}'; console.log(process.report.getReport().sharedObjects.join())`
    const loaded = await runNode(['--input-type=module', '--eval', script], project)
    expect(loaded).toMatch(/libc/)
    expect(loaded).not.toMatch(/bailiwick\./)
  })

  test('what browsers import needs nothing of Node', () => {
    const read = new Set([join('ai-sdk', 'browser', 'index.js')])
    for (const file of read) {
      const text = readFileSync(join(installed('bailiwick'), 'dist', file), 'utf8')
      for (const [, name = ''] of text.matchAll(/\b(?:from|import)\s*\(?"([^"]+)"/g)) {
        expect([file, name]).toEqual([file, expect.stringMatching(/^\.{1,2}\//)])
        read.add(join(dirname(file), name))
      }
    }
    expect([...read]).not.toContain(join('shared', 'core.js'))
    expect(read.size).toBeGreaterThan(1)
  })

  test('importing it reads few files, and only the modules of Node that it needs', async () => {
    const read = new Set(['index.js'])
    for (const file of read) {
      const text = readFileSync(join(installed('bailiwick'), 'dist', file), 'utf8')
      for (const [, name = ''] of text.matchAll(/\b(?:from|import)\s*"(\.[^"]+)"/g)) read.add(join(dirname(file), name))
    }
    // What a runtime needs besides is loaded by the first one.
    expect([...read].sort()).toEqual(['index.js', join('shared', 'core.js')])
    // Importing node:util by name loads what each of its exports needs: 4 ms on Node 24. node:util/types has the checks alone.
    const core = readFileSync(join(installed('bailiwick'), 'dist', 'shared', 'core.js'), 'utf8')
    expect(core).not.toMatch(/\bfrom\s*"(?:node:)?util"/)
    // A file: what Node itself needs to evaluate an argument is loaded before.
    await writeFile(join(project, 'loads.mjs'), "import 'bailiwick'\nconsole.log(process.moduleLoadList.join('\\n'))\n")
    const loaded = (await runNode(['loads.mjs'], project)).split('\n')
    expect(loaded).toContain('NativeModule perf_hooks')
    expect(loaded).not.toContain('NativeModule crypto')
    // Importing node:process opens the standard streams; the global does not.
    expect(loaded).not.toContain('NativeModule stream/promises')
  })
})

describe('TypeScript', () => {
  test.each([
    { module: 'node16', moduleResolution: 'node16', file: 'typed.mts' },
    { module: 'nodenext', moduleResolution: 'nodenext', file: 'typed.mts' },
    { module: 'nodenext', moduleResolution: 'nodenext', file: 'typed.cts' },
    { module: 'esnext', moduleResolution: 'bundler', file: 'typed.mts' },
  ])('a strict consumer compiles: $moduleResolution, $file', async ({ module, moduleResolution, file }) => {
    const config = join(project, 'tsconfig.json')
    const compilerOptions = {
      module,
      moduleResolution,
      target: 'es2022',
      lib: ['es2022'],
      types: ['node'],
      typeRoots: [inRoot('node_modules', '@types')],
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      noEmit: true,
    }
    await copyFile(inRoot('test', 'package', 'consumer', 'typed.mts'), join(project, file))
    await writeFile(config, JSON.stringify({ compilerOptions, files: [file] }))
    await runNode([tool('tsc'), '-p', config], project)
  })
})
