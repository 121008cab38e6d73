// The packed packages in a site of Next.js: in development, in production, and in the folder that it makes for a container.
import { spawn } from 'node:child_process'
import { copyFileSync, cpSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inRoot } from '../../../scripts/lib/root.mjs'
import { type Section, sectionText } from '../../compatibility/section.ts'
import { installIntoEmptyProject } from '../install.ts'
import { freePort } from '../local-registry.ts'
import { emptyFolder, environment, linkTree, type Printed, run, versionOf } from '../paths/project.ts'

/** Eight builds and servers, each of which compiles the site. */
const SITE_MS = 600_000
const file = './compatibility.json'

interface Setup {
  readonly bundler: 'Turbopack' | 'webpack'
  readonly isExternal: boolean
}

const setups: readonly Setup[] = [
  { bundler: 'Turbopack', isExternal: false },
  { bundler: 'Turbopack', isExternal: true },
  { bundler: 'webpack', isExternal: false },
  { bundler: 'webpack', isExternal: true },
]

/** A site with its packages in a folder of its own. */
function newSite(installed: string): string {
  const site = emptyFolder()
  cpSync(inRoot('test', 'package', 'next', 'site'), site, { recursive: true })
  copyFileSync(join(installed, 'stored.mjs'), join(site, 'app', 'stored', 'stored.mjs'))
  copyFileSync(join(installed, 'package.json'), join(site, 'package.json'))
  linkTree(inRoot('test', 'package', 'next', 'node_modules'), join(site, 'node_modules'))
  for (const name of ['bailiwick', '@bailiwick']) {
    linkTree(join(installed, 'node_modules', name), join(site, 'node_modules', name))
  }
  return site
}

/** Starts a server, asks it for what is stored, and stops it. */
async function answerOf(words: readonly string[], cwd: string, own: Record<string, string>): Promise<Printed> {
  const port = String(await freePort())
  const env = environment(cwd, { ...own, PORT: port, HOSTNAME: '127.0.0.1' })
  const server = spawn(process.execPath, words, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()))
  try {
    await new Promise<void>((resolve, reject) => {
      const lines: string[] = []
      for (const stream of [server.stdout, server.stderr]) {
        createInterface(stream).on('line', (line) => {
          lines.push(line)
          if (line.includes('Ready in')) resolve()
        })
      }
      ended.then(() => reject(new Error(`the server ended\n${lines.join('\n')}`)))
    })
    return (await (await fetch(`http://127.0.0.1:${port}/stored`)).json()) as Printed
  } finally {
    server.kill()
    await ended
  }
}

const worked = { found: { hello: 'world' } }

/** Tries a set-up in three ways and gives its row. */
async function trySetup({ bundler, isExternal }: Setup, installed: string): Promise<string[]> {
  const site = newSite(installed)
  const own = { NEXT_TELEMETRY_DISABLED: '1', BAILIWICK_IS_EXTERNAL: isExternal ? 'yes' : 'no' }
  const next = join(site, 'node_modules', 'next', 'dist', 'bin', 'next')
  const flags = bundler === 'webpack' ? ['--webpack'] : []
  expect(await answerOf([next, 'dev', ...flags], site, own)).toEqual(worked)
  rmSync(join(site, '.next'), { recursive: true })
  await run(process.execPath, [next, 'build', ...flags], site, own)
  expect(await answerOf([next, 'start'], site, own)).toEqual(worked)
  const moved = emptyFolder()
  renameSync(join(site, '.next', 'standalone'), join(moved, 'standalone'))
  rmSync(site, { recursive: true })
  const answer = await answerOf(['server.js'], join(moved, 'standalone'), own)
  if (isExternal) expect(answer).toEqual(worked)
  else expect(answer.said).toContain("serverExternalPackages: ['bailiwick']")
  const name = isExternal ? `${bundler}, serverExternalPackages: ['bailiwick']` : bundler
  const standalone = isExternal ? 'works' : 'the error names serverExternalPackages'
  return [name, versionOf('next', 'next'), 'works', 'works', standalone]
}

test('the table names the version of Next.js that is installed for it', () => {
  const { rows }: Section = JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8'))
  expect(rows.map(([name, version]) => [name?.split(',')[0], version])).toEqual(
    setups.map(({ bundler }) => [bundler, versionOf('next', 'next')]),
  )
})

// Next.js takes minutes.
if (process.env['BAILIWICK_LONG'] === '1') {
  describe('a site of Next.js', () => {
    const rows: string[][] = []
    let installed: string
    beforeAll(async () => {
      installed = await installIntoEmptyProject()
    }, SITE_MS)
    afterAll(() => rmSync(installed, { recursive: true, force: true }))

    test.each(setups)(
      'works with $bundler (external: $isExternal), or says what to set',
      async (setup) => {
        rows.push(await trySetup(setup, installed))
      },
      SITE_MS,
    )

    test('the table says what these tests found', async () => {
      const section: Section = {
        title: 'Next.js',
        note: 'By test/package/next (`npm run test:long`): a route handler that stores a value on disk and finds it again.',
        columns: ['bundler and settings', 'version', 'dev', 'start', 'standalone'],
        rows,
      }
      await expect(sectionText(section)).toMatchFileSnapshot(file)
    })
  })
}
