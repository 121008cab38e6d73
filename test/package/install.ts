import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { cp, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { hashOf } from '../../scripts/lib/inputs.mjs'
import { platformName } from '../../scripts/lib/platform.mjs'
import { inRoot } from '../../scripts/lib/root.mjs'
import { packAll } from '../../scripts/pack/packages.mjs'

const execute = promisify(execFile)
const here = fileURLToPath(new URL('.', import.meta.url))

/** The .tgz files of what is built; those of the platforms by their name. */
export type Packed = Awaited<ReturnType<typeof packAll>>

const contents = ['dist', 'npm', 'package.json', 'package-lock.json', 'Cargo.lock', 'README.md', 'CHANGELOG.md']

/** Packs what is built, once for all files of tests: to compress the addon takes long. */
export async function packedPackages(): Promise<Packed> {
  const place = inRoot('build', 'packed')
  const hash = hashOf([...contents, 'scripts/pack'])
  const folder = join(place, hash)
  if (!existsSync(folder)) await packInto(place, hash)
  const files = readdirSync(folder)
  const platforms = files.flatMap((file): [string, string][] => {
    const name = /^bailiwick-([a-z]+-\w+(?:-[a-z]+)?)-\d/.exec(file)?.[1]
    return name === undefined ? [] : [[name, join(folder, file)]]
  })
  const root = files.find((file) => /^bailiwick-\d/.test(file))
  if (root === undefined) throw new Error(`no package of the library in ${folder}`)
  return { root: join(folder, root), platforms: Object.fromEntries(platforms) }
}

/** Another process may do the same at the same time. */
async function packInto(place: string, hash: string): Promise<void> {
  mkdirSync(place, { recursive: true })
  for (const older of readdirSync(place).filter((name) => name !== hash && !name.startsWith('new-'))) {
    rmSync(join(place, older), { recursive: true, force: true })
  }
  const fresh = mkdtempSync(join(place, 'new-'))
  await packAll(fresh)
  try {
    renameSync(fresh, join(place, hash))
  } catch (error) {
    if (!existsSync(join(place, hash))) throw error
    rmSync(fresh, { recursive: true })
  }
}

/** Installs the packed packages into a new, empty project, without a network. Gives the project's folder. */
export async function installIntoEmptyProject(): Promise<string> {
  const project = await mkdtemp(join(tmpdir(), 'bailiwick-consumer-'))
  const packed = await packedPackages()
  await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'consumer', private: true }))
  const options = ['--offline', '--no-audit', '--no-fund', '--loglevel=error', '--foreground-scripts']
  const platform = packed.platforms[platformName()]
  if (platform === undefined) throw new Error('this platform is not built')
  await execute('npm', ['install', ...options, packed.root, platform], { cwd: project })
  await cp(join(here, 'consumer'), project, { recursive: true })
  return project
}

/** The Node executables of the versions under test, by major version; the first is the one that runs the tests. */
export function nodesUnderTest(): [version: string, executable: string][] {
  const installed = ['22', '24', '26'].map((major): [string, string] => [
    major,
    join(here, 'nodes', 'node_modules', `node-${major}`, 'bin', 'node'),
  ])
  return [[process.versions.node.split('.')[0] ?? '', process.execPath], ...installed]
}
