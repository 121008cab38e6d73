import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { addonFile } from '../../../scripts/lib/platform.mjs'
import { bundle } from './bundlers.ts'
import { deploy, type Printed, platformPackage, runMain, versionOf } from './project.ts'
import { nodes, runWithoutFfi, withPermissions } from './runtimes.ts'

/** A situation without an addon that loads. */
export interface Refusal {
  readonly name: string
  readonly version: string
  readonly run: (project: string) => Promise<Printed>
  /** Parts of the message, which the table shows. */
  readonly says: readonly string[]
}

const node = process.execPath

/** Every situation, with what the error says about it. */
export const refusals: readonly Refusal[] = [
  {
    name: 'the platform package is not installed',
    version: '–',
    run: (project) => {
      rmSync(join(project, 'node_modules', platformPackage), { recursive: true })
      return runMain(node, ['main.mjs'], project)
    },
    says: [`needs the package ${platformPackage}`, 'Install again on the machine that will run it'],
  },
  {
    name: 'the addon is damaged',
    version: '–',
    run: (project) => {
      damage(project)
      return runMain(node, ['main.mjs'], project)
    },
    says: ['invalid ELF header', `Install ${platformPackage} again on this machine.`],
  },
  {
    name: 'a bundle without the platform package',
    version: versionOf('esbuild'),
    run: async (project) => {
      await bundle('esbuild', 'cjs', project)
      return runMain(node, ['dist/main.cjs'], deploy(project, 'dist', 'nothing'))
    },
    says: [`needs the package ${platformPackage}`, 'install the package beside the bundle'],
  },
  {
    name: 'BAILIWICK_NATIVE_PATH names no file',
    version: '–',
    run: (project) => runMain(node, ['main.mjs'], project, { BAILIWICK_NATIVE_PATH: './absent.node' }),
    says: ['absent.node', 'Correct or unset BAILIWICK_NATIVE_PATH.'],
  },
  ...nodes.map(
    ({ major, program, version }): Refusal => ({
      name: 'the permission model without --allow-addons',
      version,
      run: (project) => runMain(program, [...withPermissions(major), 'main.mjs'], project),
      says: ['loading addons is disabled', 'Start Node with --allow-addons'],
    }),
  ),
  {
    name: 'node --no-addons',
    version: nodes[0]?.version ?? '',
    run: (project) => runMain(node, ['--no-addons', 'main.mjs'], project),
    says: ['loading addons is disabled', 'without --no-addons'],
  },
  {
    name: 'Deno without --allow-ffi',
    version: versionOf('deno'),
    run: runWithoutFfi,
    says: ['Requires ffi access', 'Start Deno with --allow-ffi.'],
  },
]

/** Puts something else in the place of the addon. The file is a link to the one of every other project. */
export function damage(project: string): void {
  const file = join(project, 'node_modules', platformPackage, addonFile)
  if (!existsSync(file)) throw new Error(`no addon at ${file}`)
  rmSync(file)
  writeFileSync(file, 'not an addon, and longer than the header of one'.repeat(10))
}
