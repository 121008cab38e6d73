import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { platformName } from '../../scripts/lib/platform.mjs'
import { inRoot } from '../../scripts/lib/root.mjs'
import { targets } from '../../scripts/lib/targets.mjs'
import { packAll } from '../../scripts/pack/packages.mjs'
import { nodesUnderTest } from './install.ts'
import { type LocalRegistry, registryTool, startRegistry } from './local-registry.ts'

const execute = promisify(execFile)
let folder: string
let packed: Awaited<ReturnType<typeof packAll>>
let registry: LocalRegistry

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bailiwick-published-'))
  packed = await packAll(join(folder, 'packed'))
  const node = nodesUnderTest().find(([major]) => Number(major) >= 22)?.[1] ?? process.execPath
  registry = await startRegistry(node)
  // Platforms that are not built here are there by their manifest, from which the package managers must choose.
  const others = targets().filter(({ name }) => packed.platforms[name] === undefined)
  await Promise.all(others.map(({ name }) => registry.publish(inRoot('npm', name))))
  for (const file of [...Object.values(packed.platforms), packed.root]) await registry.publish(file)
})
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
  return { name: `yarn 4, ${linker}`, script, parameters: ['add', 'bailiwick'], settings, startsNode: linker === 'pnp' }
}

const managers: readonly Manager[] = [
  { name: 'npm', parameters: ['install', 'bailiwick', '--no-audit', '--no-fund'] },
  { name: 'pnpm', script: 'pnpm/bin/pnpm.cjs', parameters: ['add', 'bailiwick'] },
  {
    name: 'yarn 1',
    script: 'yarn/bin/yarn.js',
    parameters: ['add', 'bailiwick', '--non-interactive'],
    settings: (url) => ({ YARN_REGISTRY: url, YARN_CACHE_FOLDER: join(folder, 'cache-of-yarn-1') }),
  },
  yarn4('node-modules'),
  yarn4('pnp'),
]

/** Eight programs start on a machine that may be slow. */
const INSTALL_MS = 300_000

describe('from a registry', () => {
  test.each(managers)(
    '$name installs the root and this platform alone, and every Node runs it',
    async ({ name, script, parameters, settings = () => ({}), startsNode = false }) => {
      const project = join(folder, name.replace(/\W+/g, '-'))
      cpSync(inRoot('test', 'package', 'consumer'), project, { recursive: true })
      writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'stranger', private: true }))
      // Neither options nor an addon that were chosen for this process.
      const own = { NODE_OPTIONS: undefined, BAILIWICK_NATIVE_PATH: undefined }
      const env = { ...process.env, ...own, ...registry.environment, ...ownFolders(), ...settings(registry.url) }
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
