import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { platformName } from '../../scripts/lib/platform.mjs'
import { inRoot } from '../../scripts/lib/root.mjs'
import { targets } from '../../scripts/lib/targets.mjs'
import { type Section, sectionText } from '../compatibility/section.ts'
import { nodesUnderTest, type Packed, packedPackages } from './install.ts'
import { type LocalRegistry, registryTool, startRegistry } from './local-registry.ts'
import { bundle } from './paths/bundlers.ts'
import { versionOf } from './paths/project.ts'

const execute = promisify(execFile)
/** Packages are packed, published and installed, and eight programs started, on a machine that may be slow. */
const INSTALL_MS = 300_000
let folder: string
let packed: Packed
let registry: LocalRegistry
const rows: string[][] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bailiwick-published-'))
  packed = await packedPackages()
  const node = nodesUnderTest().find(([major]) => Number(major) >= 22)?.[1] ?? process.execPath
  registry = await startRegistry(node)
  // Platforms that are not built here are there by their manifest, from which the package managers must choose.
  const others = targets().filter(({ name }) => packed.platforms[name] === undefined)
  await Promise.all(others.map(({ name }) => registry.publish(inRoot('npm', name))))
  for (const file of [...Object.values(packed.platforms), packed.root]) await registry.publish(file)
}, INSTALL_MS)
afterAll(async () => {
  await registry?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Who installs, with what settings beside the registry's, and what runs a script of the project afterwards. */
interface Manager {
  readonly name: string
  /** A script of test/package/registry; without one it is npm. */
  readonly script?: string
  readonly parameters: readonly string[]
  readonly settings?: (registry: string) => Record<string, string>
  /** Whether Node needs to be started by it to find packages. */
  readonly startsNode?: boolean
  /** For the table; npm is that of the machine. */
  readonly version?: string
}

const ownFolders = (): Record<string, string> => ({ XDG_DATA_HOME: join(folder, 'data'), HOME: folder })

function yarn4(linker: 'node-modules' | 'pnp'): Manager {
  const settings = (url: string) => ({
    YARN_NPM_REGISTRY_SERVER: url,
    YARN_UNSAFE_HTTP_WHITELIST: '127.0.0.1',
    // What was published a moment ago is what is tried.
    YARN_NPM_MINIMAL_AGE_GATE: '0',
    YARN_GLOBAL_FOLDER: join(folder, 'cache-of-yarn-4'),
    YARN_ENABLE_GLOBAL_CACHE: 'false',
    YARN_ENABLE_TELEMETRY: 'false',
    // On a machine of CI it would not write the first lock file.
    YARN_ENABLE_IMMUTABLE_INSTALLS: 'false',
    YARN_NODE_LINKER: linker,
  })
  const script = '@yarnpkg/cli-dist/bin/yarn.js'
  const parameters = ['add', 'bailiwick']
  const version = versionOf('@yarnpkg/cli-dist', 'registry')
  return { name: `yarn 4, ${linker}`, script, parameters, settings, startsNode: linker === 'pnp', version }
}

const pnpm = 'pnpm/bin/pnpm.cjs'
const managers: readonly Manager[] = [
  { name: 'npm', parameters: ['install', 'bailiwick', '--no-audit', '--no-fund'] },
  { name: 'pnpm', script: pnpm, parameters: ['add', 'bailiwick'], version: versionOf('pnpm', 'registry') },
  {
    name: 'yarn 1',
    script: 'yarn/bin/yarn.js',
    parameters: ['add', 'bailiwick', '--non-interactive'],
    settings: (url) => ({ YARN_REGISTRY: url, YARN_CACHE_FOLDER: join(folder, 'cache-of-yarn-1') }),
    version: versionOf('yarn', 'registry'),
  },
  yarn4('node-modules'),
  yarn4('pnp'),
]

/** Neither options nor an addon that were chosen for this process. */
function environment(settings: Record<string, string> = {}): NodeJS.ProcessEnv {
  const own = { NODE_OPTIONS: undefined, BAILIWICK_NATIVE_PATH: undefined }
  return { ...process.env, ...own, ...registry.environment, ...ownFolders(), ...settings }
}

/** A new project with the programs of test/package/consumer. */
function newProject(name: string, manifest: object = { name: 'stranger', private: true }): string {
  const project = join(folder, name.replace(/\W+/g, '-'))
  cpSync(inRoot('test', 'package', 'consumer'), project, { recursive: true })
  writeFileSync(join(project, 'package.json'), JSON.stringify(manifest))
  return project
}

async function found(program: string, cwd: string): Promise<unknown> {
  const { stdout } = await execute(process.execPath, [program], { cwd, env: environment() })
  return JSON.parse(stdout).found
}

describe('from a registry', () => {
  test.each(managers)(
    '$name installs the root and this platform alone, and every Node runs it',
    async ({ name, script, parameters, settings = () => ({}), startsNode = false, version = '–' }) => {
      const project = newProject(name)
      const env = environment(settings(registry.url))
      const tool = script === undefined ? [] : [registryTool(script)]
      await execute(script === undefined ? 'npm' : process.execPath, [...tool, ...parameters], { cwd: project, env })
      for (const [major, node] of nodesUnderTest()) {
        // Node 20 finds no module in a zip file by `require`, whatever Yarn does.
        const canRequire = !name.endsWith('pnp') || Number(major) >= 22
        for (const file of ['import.mjs', ...(canRequire ? ['require.cjs'] : [])]) {
          const words = startsNode ? [...tool, 'node', file] : [file]
          const { stdout } = await execute(node, words, { cwd: project, env })
          expect([major, file, JSON.parse(stdout)]).toMatchObject([major, file, { found: { hello: 'world' } }])
        }
      }
      // pnpm links only what is a dependency of the project itself. yarn 1 knows no C libraries: it takes both.
      const installed = readdirSync(project, { recursive: true, encoding: 'utf8' })
      const names = installed.flatMap((path) => path.match(/@bailiwick[/\\]([a-z0-9-]+)$/)?.[1] ?? [])
      const here = name === 'yarn 1' ? platformName().replace(/-(gnu|musl)$/, '') : platformName()
      const chosen = targets().filter((target) => target.name.startsWith(here))
      expect([...new Set(names)].sort()).toEqual(chosen.map((target) => target.name).sort())
      rows.push([name, version, 'works'])
    },
    INSTALL_MS,
  )

  test(
    'npm ci --omit=dev installs what a lock file of this platform says',
    async () => {
      const project = newProject('npm-ci')
      cpSync(join(folder, 'npm', 'package.json'), join(project, 'package.json'))
      cpSync(join(folder, 'npm', 'package-lock.json'), join(project, 'package-lock.json'))
      await execute('npm', ['ci', '--omit=dev', '--no-audit', '--no-fund'], { cwd: project, env: environment() })
      expect(await found('main.mjs', project)).toEqual({ hello: 'world' })
      rows.push(['npm ci --omit=dev', '–', 'works'])
    },
    INSTALL_MS,
  )

  test(
    'pnpm links the platform package for bailiwick alone, and a bundle by esbuild finds it',
    async () => {
      for (const format of ['esm', 'cjs'] as const) {
        await bundle('esbuild', format, join(folder, 'pnpm'))
        const output = format === 'esm' ? 'dist/main.mjs' : 'dist/main.cjs'
        expect(await found(output, join(folder, 'pnpm'))).toEqual({ hello: 'world' })
      }
      const versions = [versionOf('pnpm', 'registry'), versionOf('esbuild')]
      rows.push(['pnpm, a bundle by esbuild in the project', versions.join(', '), 'works'])
    },
    INSTALL_MS,
  )

  test(
    'pnpm deploy copies a package of a workspace with the platform package',
    async () => {
      const app = { name: 'app', version: '1.0.0', private: true, dependencies: { bailiwick: '*' } }
      const workspace = join(folder, 'workspace')
      mkdirSync(workspace)
      renameSync(newProject('app', app), join(workspace, 'app'))
      writeFileSync(join(workspace, 'package.json'), JSON.stringify({ name: 'workspace', private: true }))
      writeFileSync(join(workspace, 'pnpm-workspace.yaml'), JSON.stringify({ packages: ['app'] }))
      const deployed = join(folder, 'deployed')
      for (const words of [['install'], ['--filter=app', 'deploy', '--prod', '--legacy', deployed]]) {
        await execute(process.execPath, [registryTool(pnpm), ...words], { cwd: workspace, env: environment() })
      }
      rmSync(workspace, { recursive: true })
      expect(await found('main.mjs', deployed)).toEqual({ hello: 'world' })
      rows.push(['pnpm deploy --legacy', versionOf('pnpm', 'registry'), 'works'])
    },
    INSTALL_MS,
  )
})

describe('judged by others', () => {
  test('publint finds nothing', async () => {
    const { stdout } = await execute(process.execPath, [
      registryTool('publint/src/cli.js'),
      'run',
      packed.root,
      '--strict',
    ])
    expect(stdout).toMatch(/All good/)
  })

  test('the types are right for every kind of import (attw, esm-only)', async () => {
    const parameters = [packed.root, '--profile', 'esm-only', '--no-color', '--format', 'json']
    const { stdout } = await execute(process.execPath, [
      registryTool('@arethetypeswrong/cli/dist/index.js'),
      ...parameters,
    ])
    const found: { entrypoint: string; kind: string; resolutionKind: string }[] = Object.values(
      JSON.parse(stdout).problems ?? {},
    ).flat() as never
    // What esm-only leaves out: consumers without `exports`, and CommonJS files of the time before require(esm).
    const outside = ['node10', 'node16-cjs']
    expect(found.filter(({ resolutionKind }) => !outside.includes(resolutionKind))).toEqual([])
  })
})

test('the table of package managers says what these tests found', async () => {
  const section: Section = {
    title: 'Package managers',
    note: 'By test/package: the packed packages are published to a registry on the machine, installed from it, and run by every Node under test.',
    columns: ['install', 'version', 'result'],
    rows,
  }
  await expect(sectionText(section)).toMatchFileSnapshot('./compatibility.json')
})
