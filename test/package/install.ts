import { execFile } from 'node:child_process'
import { cp, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { platformName } from '../../scripts/lib/platform.mjs'
import { packAll } from '../../scripts/pack/packages.mjs'

const execute = promisify(execFile)
const here = fileURLToPath(new URL('.', import.meta.url))

/** Packs both packages and installs them into a new, empty project, without a network. Gives the project's folder. */
export async function installIntoEmptyProject(): Promise<string> {
  const project = await mkdtemp(join(tmpdir(), 'bailiwick-consumer-'))
  const packed = await packAll(join(project, 'packed'))
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
