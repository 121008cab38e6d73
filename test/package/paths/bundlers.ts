import process from 'node:process'
import { inRoot } from '../../../scripts/lib/root.mjs'
import { run, toolPath, versionOf } from './project.ts'

/** A way to make one program of main.mjs and the package. */
export interface Bundler {
  readonly name: string
  readonly format: 'esm' | 'cjs'
  /** What is installed, by its name. */
  readonly package: string
  /** Writes dist/main.mjs or dist/main.cjs in a project. */
  readonly bundle: (project: string) => Promise<unknown>
}

/** The file that a bundler writes, in the project. */
export function outputOf(format: Bundler['format']): string {
  return format === 'esm' ? 'dist/main.mjs' : 'dist/main.cjs'
}

/** Bundles by test/package/tools/bundle.mjs. */
export function bundle(name: string, format: Bundler['format'], project: string): Promise<string> {
  return run(process.execPath, [inRoot('test', 'package', 'tools', 'bundle.mjs'), name, format], project)
}

function inBoth(name: string, installed = name): Bundler[] {
  return (['esm', 'cjs'] as const).map((format) => byScript(name, format, installed))
}

function byScript(name: string, format: Bundler['format'], installed = name): Bundler {
  return { name, format, package: installed, bundle: (project) => bundle(name, format, project) }
}

export const bun = toolPath('@oven', 'bun-linux-x64', 'bin', 'bun')

/** Every bundler and tracer, with what is installed. */
export const bundlers: readonly Bundler[] = [
  ...inBoth('esbuild'),
  ...inBoth('webpack'),
  ...inBoth('rspack', '@rspack/core'),
  ...inBoth('rolldown'),
  ...inBoth('rollup'),
  byScript('vite', 'esm'),
  byScript('vite, packages external', 'esm', 'vite'),
  byScript('ncc', 'esm', '@vercel/ncc'),
  {
    name: 'bun build',
    format: 'esm',
    package: 'bun',
    bundle: (project) => run(bun, ['build', 'main.mjs', '--target=node', '--outfile=dist/main.mjs'], project),
  },
]

/** What is installed of a bundler, for the table. */
export function installedOf(bundler: Bundler): string {
  return versionOf(bundler.package)
}
