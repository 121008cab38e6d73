import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { addonFile } from '../../../scripts/lib/platform.mjs'
import { nodesUnderTest } from '../install.ts'
import { bun, bundle } from './bundlers.ts'
import { deploy, type Printed, platformPackage, run, runMain, toolPath, versionOf } from './project.ts'

/** A way to run main.mjs, or the test of it, in a project. */
export interface Runtime {
  readonly name: string
  readonly version: string
  readonly run: (project: string) => Promise<Printed>
}

const deno = toolPath('@deno', 'linux-x64-glibc', 'deno')
const denoFlags = ['--no-prompt', '--allow-read', '--allow-write', '--allow-env']

/** The versions of Node, as the table names them: of the one that runs the tests only the major is the same everywhere. */
export const nodes = nodesUnderTest().map(([major, program]) => {
  const version = program === process.execPath ? major : versionOf(`node-${major}`, 'nodes').replace(/^\S+ /, '')
  return { major: Number(major), program, version: `Node ${version}` }
})

/** What vitest runs on: its current version needs 22. */
const node22 = nodes.find(({ major }) => major >= 22)?.program ?? process.execPath

/** The permission model, with what bailiwick needs but addons. */
export function withPermissions(major: number): string[] {
  const flag = major < 23 ? '--experimental-permission' : '--permission'
  return [flag, '--allow-fs-read=*', '--allow-fs-write=*']
}

/** Runs a test runner, which fails if the test does. */
async function runTests(program: string, words: readonly string[], project: string): Promise<Printed> {
  await run(program, words, project)
  return { found: { hello: 'world' } }
}

function vitest(pool: string): Runtime {
  const words = [toolPath('vitest', 'vitest.mjs'), 'run', '--globals', `--pool=${pool}`, 'stored.test.mjs']
  const name = `vitest, --pool=${pool}`
  return { name, version: versionOf('vitest'), run: (project) => runTests(node22, words, project) }
}

/** Writes main.mjs and the package into a copy of Node, which is named `single`. */
async function singleExecutable(project: string, { major, program }: (typeof nodes)[number]): Promise<void> {
  await bundle('esbuild', 'cjs', project)
  const isBuilt = major >= 26
  const output = isBuilt ? 'single' : 'single.blob'
  const config = { main: 'dist/main.cjs', output, disableExperimentalSEAWarning: true }
  writeFileSync(join(project, 'single.json'), JSON.stringify(config))
  await run(program, [isBuilt ? '--build-sea' : '--experimental-sea-config', 'single.json'], project)
  if (isBuilt) return
  copyFileSync(program, join(project, 'single'))
  const fuse = ['--sentinel-fuse', 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2']
  const words = ['single', 'NODE_SEA_BLOB', 'single.blob', ...fuse]
  await run(process.execPath, [toolPath('postject', 'dist', 'cli.js'), ...words], project)
}

/** Every runtime and test runner that works. */
export const runtimes: readonly Runtime[] = [
  ...nodes.map(
    ({ major, program, version }): Runtime => ({
      name: 'Node, permission model with --allow-addons',
      version,
      run: (project) => runMain(program, [...withPermissions(major), '--allow-addons', 'main.mjs'], project),
    }),
  ),
  ...nodes.map(
    (node): Runtime => ({
      name: 'Node, single executable of a bundle by esbuild, moved, with the platform package',
      version: node.version,
      run: async (project) => {
        await singleExecutable(project, node)
        const folder = deploy(project, 'single', 'platform package')
        return runMain(join(folder, 'single'), [], folder)
      },
    }),
  ),
  vitest('forks'),
  vitest('threads'),
  vitest('vmThreads'),
  {
    name: 'jest, node --experimental-vm-modules',
    version: versionOf('jest'),
    run: (project) => {
      const config = { testMatch: ['**/stored.test.mjs'], transform: {} }
      const words = [
        '--experimental-vm-modules',
        toolPath('jest', 'bin', 'jest.js'),
        '--config',
        JSON.stringify(config),
      ]
      return runTests(process.execPath, [...words, '--runInBand'], project)
    },
  },
  { name: 'Bun', version: versionOf('bun'), run: (project) => runMain(bun, ['main.mjs'], project) },
  {
    name: 'Bun, single executable, moved, with BAILIWICK_NATIVE_PATH',
    version: versionOf('bun'),
    run: async (project) => {
      await run(bun, ['build', '--compile', 'main.mjs', '--outfile=single'], project)
      const folder = deploy(project, 'single', 'platform package')
      const own = { BAILIWICK_NATIVE_PATH: join('node_modules', platformPackage, addonFile) }
      return runMain(join(folder, 'single'), [], folder, own)
    },
  },
  {
    name: 'Deno, --allow-read --allow-write --allow-env --allow-ffi',
    version: versionOf('deno'),
    run: (project) => runMain(deno, ['run', ...denoFlags, '--allow-ffi', 'main.mjs'], project),
  },
]

/** Starts main.mjs with Deno, which may do everything that bailiwick needs but load an addon. */
export function runWithoutFfi(project: string): Promise<Printed> {
  return runMain(deno, ['run', ...denoFlags, 'main.mjs'], project)
}
