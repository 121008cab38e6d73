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
import { runNode } from '../support/run-node.ts'
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

const managers = [
  { name: 'npm', command: 'npm', parameters: ['install', 'bailiwick', '--no-audit', '--no-fund'] },
  { name: 'pnpm', script: 'pnpm/bin/pnpm.cjs', parameters: ['add', 'bailiwick'] },
  { name: 'yarn 1', script: 'yarn/bin/yarn.js', parameters: ['add', 'bailiwick', '--non-interactive'] },
]

describe('M15: from a registry', () => {
  test.each(managers)(
    'M15: $name installs the root and this platform alone',
    async ({ name, command, script, parameters }) => {
      const project = join(folder, name.replace(' ', '-'))
      cpSync(inRoot('test', 'package', 'consumer'), project, { recursive: true })
      writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'stranger', private: true }))
      const own = { YARN_CACHE_FOLDER: join(folder, 'yarn'), XDG_DATA_HOME: join(folder, 'data'), HOME: folder }
      const env = { ...process.env, ...registry.environment, ...own, YARN_REGISTRY: registry.url }
      const [program, first] = command === undefined ? [process.execPath, [registryTool(script)]] : [command, []]
      await execute(program, [...first, ...parameters], { cwd: project, env })
      for (const file of ['import.mjs', 'require.cjs']) {
        expect(JSON.parse(await runNode([file], project))).toMatchObject({ found: { hello: 'world' } })
      }
      // pnpm links only what is a dependency of the project itself. yarn 1 knows no C libraries: it takes both.
      const installed = readdirSync(join(project, 'node_modules'), { recursive: true, encoding: 'utf8' })
      const names = installed.flatMap((path) => path.match(/@bailiwick[/\\]([a-z0-9-]+)$/)?.[1] ?? [])
      const here = name === 'yarn 1' ? platformName().replace(/-(gnu|musl)$/, '') : platformName()
      const chosen = targets().filter((target) => target.name.startsWith(here))
      expect([...new Set(names)].sort()).toEqual(chosen.map((target) => target.name).sort())
    },
  )
})

describe('M15: judged by others', () => {
  test('M15: publint finds nothing', async () => {
    const { stdout } = await execute(process.execPath, [
      registryTool('publint/src/cli.js'),
      'run',
      packed.root,
      '--strict',
    ])
    expect(stdout).toMatch(/All good/)
  })

  test('M15: the types are right for whoever imports (attw, esm-only)', async () => {
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
