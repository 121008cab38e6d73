// Projects that have the packed packages installed, and what programs in them print.
import { execFile } from 'node:child_process'
import { linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { platformName } from '../../../scripts/lib/platform.mjs'
import { inRoot } from '../../../scripts/lib/root.mjs'

export const platformPackage = `@bailiwick/${platformName()}`

/** The path of something in what is installed beside test/package/tools. */
export function toolPath(...path: string[]): string {
  return inRoot('test', 'package', 'tools', 'node_modules', ...path)
}

/** The name and version of a package that a lock file of test/package names. */
export function versionOf(name: string, folder = 'tools'): string {
  const lock = JSON.parse(readFileSync(inRoot('test', 'package', folder, 'package-lock.json'), 'utf8'))
  return `${name} ${lock.packages[`node_modules/${name}`].version}`
}

/** An empty folder that is gone when the test is over. */
export function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bailiwick-path-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Gives a project of its own to a test: the programs and the two packages of the one that npm installed. */
export function projectLike(installed: string): string {
  const project = emptyFolder()
  for (const { name } of readdirSync(installed, { withFileTypes: true }).filter((entry) => entry.isFile())) {
    linkSync(join(installed, name), join(project, name))
  }
  for (const name of ['bailiwick', '@bailiwick'])
    linkTree(join(installed, 'node_modules', name), join(project, 'node_modules', name))
  return project
}

/** Links, because the addon is large. */
export function linkTree(from: string, to: string): void {
  mkdirSync(to, { recursive: true })
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (entry.isDirectory()) linkTree(join(from, entry.name), join(to, entry.name))
    else linkSync(join(from, entry.name), join(to, entry.name))
  }
}

/** Moves what was built to a folder without the project, with the platform package alone or with nothing. */
export function deploy(project: string, built: string, packages: 'platform package' | 'nothing'): string {
  const folder = emptyFolder()
  renameSync(join(project, built), join(folder, built))
  if (packages === 'platform package') {
    linkTree(join(project, 'node_modules', platformPackage), join(folder, 'node_modules', platformPackage))
  }
  // Bundles hold paths of the project.
  rmSync(project, { recursive: true, force: true })
  return folder
}

/** What main.mjs of test/package/consumer prints. */
export interface Printed {
  readonly found?: unknown
  readonly code?: unknown
  readonly said?: string
}

/** The environment of programs that are tried: without what was chosen for this process, and without a network. */
export function environment(cwd: string, own: Record<string, string>): NodeJS.ProcessEnv {
  const folders = { HOME: join(cwd, 'home'), DENO_DIR: join(cwd, 'deno'), DENO_NO_UPDATE_CHECK: '1' }
  return {
    ...process.env,
    NODE_OPTIONS: undefined,
    BAILIWICK_NATIVE_PATH: undefined,
    VITEST: undefined,
    ...folders,
    ...own,
  }
}

/** Runs a program to its end and gives what it prints; rejects with all of it if it fails. */
export function run(
  program: string,
  words: readonly string[],
  cwd: string,
  own: Record<string, string> = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd, env: environment(cwd, own), maxBuffer: 64 * 1024 * 1024 }
    execFile(program, words, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${program} ${words.join(' ')} failed\n${stdout}${stderr}`, { cause: error }))
    })
  })
}

/** Runs main.mjs, or what was made of it, and gives what it prints. */
export async function runMain(
  program: string,
  words: readonly string[],
  cwd: string,
  own: Record<string, string> = {},
): Promise<Printed> {
  return JSON.parse(await run(program, words, cwd, own))
}
