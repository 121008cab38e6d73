// The packed packages through bundlers, tracers, test runners and other runtimes, each in a folder of its own.
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { addonFile, platformName } from '../../../scripts/lib/platform.mjs'
import { type Section, sectionText } from '../../compatibility/section.ts'
import { installIntoEmptyProject } from '../install.ts'
import { bun, bundle, bundlers, installedOf, outputOf } from './bundlers.ts'
import { deploy, type Printed, platformPackage, projectLike, runMain, versionOf } from './project.ts'
import { refusals } from './refusals.ts'
import { runtimes } from './runtimes.ts'

const node = process.execPath
/** Tools start slowly on a machine that has other work. */
const TOOL_MS = 300_000
let installed: string
const rows: Record<'bundlers' | 'runtimes' | 'refusals', string[][]> = { bundlers: [], runtimes: [], refusals: [] }

beforeAll(async () => {
  installed = await installIntoEmptyProject()
}, TOOL_MS)
afterAll(() => rmSync(installed, { recursive: true, force: true }))

const worked: Printed = { found: { hello: 'world' } }

describe('bundlers', () => {
  test.each(bundlers)(
    'a bundle by $name ($format) works in its project, and elsewhere with the platform package',
    async (bundler) => {
      const project = projectLike(installed)
      await bundler.bundle(project)
      const output = outputOf(bundler.format)
      expect(await runMain(node, [output], project)).toEqual(worked)
      // What stays outside the bundle must be beside it anyway.
      const isWhole = !bundler.name.endsWith('external')
      if (isWhole) expect(await runMain(node, [output], deploy(project, 'dist', 'platform package'))).toEqual(worked)
      const name = `${bundler.name}, ${bundler.format === 'esm' ? 'ES modules' : 'CommonJS'}`
      rows.bundlers.push([name, installedOf(bundler), 'works', isWhole ? 'works' : '–'])
    },
    TOOL_MS,
  )

  test('@vercel/nft lists the addon, and what it lists works alone', async () => {
    const project = projectLike(installed)
    await bundle('nft', 'esm', project)
    const traced = join(deploy(project, 'dist', 'nothing'), 'dist')
    expect(await runMain(node, ['main.mjs'], traced)).toEqual(worked)
    rows.bundlers.push(['@vercel/nft', versionOf('@vercel/nft'), '–', 'works'])
  })

  test('BAILIWICK_NATIVE_PATH names the addon for a bundle that has no packages', async () => {
    const project = projectLike(installed)
    await bundle('esbuild', 'cjs', project)
    const file = join(installed, 'node_modules', platformPackage, addonFile)
    const folder = deploy(project, 'dist', 'nothing')
    expect(await runMain(node, ['dist/main.cjs'], folder, { BAILIWICK_NATIVE_PATH: file })).toEqual(worked)
  })
})

describe('runtimes', () => {
  test.each(runtimes)(
    '$name works ($version)',
    async (runtime) => {
      expect(await runtime.run(projectLike(installed))).toEqual(worked)
      rows.runtimes.push([runtime.name, runtime.version, 'works'])
    },
    TOOL_MS,
  )
})

describe('Bun without node_modules', () => {
  test.each([
    {
      words: [],
      asked: ['/@opentelemetry%2fapi'],
      result: 'works; asks a registry for the optional @opentelemetry/api',
    },
    { words: ['--no-install'], asked: [], result: 'works; asks no registry' },
  ])('with $words: $result', async ({ words, asked, result }) => {
    const requests: (string | undefined)[] = []
    const registry = createServer((request, response) => {
      requests.push(request.url)
      response.writeHead(404).end('{}')
    })
    registry.listen(0, '127.0.0.1')
    await once(registry, 'listening')
    onTestFinished(() => void registry.close())
    const { port } = registry.address() as AddressInfo
    const project = projectLike(installed)
    await bundle('esbuild', 'esm', project)
    const own = {
      BUN_CONFIG_REGISTRY: `http://127.0.0.1:${port}`,
      BAILIWICK_NATIVE_PATH: join(installed, 'node_modules', platformPackage, addonFile),
    }
    const folder = deploy(project, 'dist', 'nothing')
    expect(await runMain(bun, [...words, 'dist/main.mjs'], folder, own)).toEqual(worked)
    expect(requests).toEqual(asked)
    rows.runtimes.push([['Bun, a bundle without node_modules', ...words].join(', '), versionOf('bun'), result])
  })
})

describe('both C libraries of Linux', () => {
  /** Some package managers install both packages, whatever the machine has. */
  function withOther(project: string): void {
    const other = platformName().replace(/gnu$/, 'musl')
    const folder = join(project, 'node_modules', '@bailiwick', other)
    mkdirSync(folder)
    const manifest = JSON.parse(readFileSync(join(project, 'node_modules', platformPackage, 'package.json'), 'utf8'))
    const main = manifest.main.replace(platformName(), other)
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...manifest, main }))
    writeFileSync(join(folder, main), 'for another C library')
  }

  test('the package of this library is taken if both are installed', async () => {
    const project = projectLike(installed)
    withOther(project)
    expect(await runMain(node, ['main.mjs'], project)).toEqual(worked)
  })

  test('only the package of the other library is installed: the error names the one to install', async () => {
    const project = projectLike(installed)
    withOther(project)
    rmSync(join(project, 'node_modules', platformPackage), { recursive: true })
    const { said } = await runMain(node, ['main.mjs'], project)
    expect(said).toContain(`Install ${platformPackage} again`)
  })
})

describe('errors', () => {
  test.each(refusals)(
    '$name ($version): the error says what to do',
    async ({ name, version, run, says }) => {
      const { code, said = '' } = await run(projectLike(installed))
      expect(code).toBe('INTERNAL')
      for (const part of says) expect(said).toContain(part)
      if (says[0] !== `needs the package ${platformPackage}`) expect(said).not.toMatch(/not installed/)
      rows.refusals.push([name, version, says.map((part) => `"${part.replaceAll(platformName(), '…')}"`).join(', ')])
    },
    TOOL_MS,
  )
})

const sections: Record<keyof typeof rows, Omit<Section, 'rows'>> = {
  bundlers: {
    title: 'Bundlers and tracers',
    note: 'By test/package/paths: a program that stores a value on disk and finds it again is bundled together with the packed library, and run beside its `node_modules` and in an empty folder that has the platform package alone.',
    columns: ['bundler', 'version', 'in its project', 'moved, with the platform package'],
  },
  runtimes: {
    title: 'Runtimes and test runners',
    note: 'By test/package/paths: the same program, or a test of it, in a folder that has the packed packages.',
    columns: ['runtime', 'version', 'result'],
  },
  refusals: {
    title: 'Without an addon that loads',
    note: 'By test/package/paths: what the error of the first store that is opened says. … stands for the platform.',
    columns: ['situation', 'version', 'the error says'],
  },
}

test.each(Object.keys(rows) as (keyof typeof rows)[])('the table of %s says what these tests found', async (name) => {
  await expect(sectionText({ ...sections[name], rows: rows[name] })).toMatchFileSnapshot(`./${name}.json`)
})
