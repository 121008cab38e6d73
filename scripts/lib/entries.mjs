import { existsSync, readFileSync } from 'node:fs'
import { dirname, relative, sep } from 'node:path'
import { filesBelow } from './inputs.mjs'
import { inRoot, root } from './root.mjs'

/**
 * The public entry points, read from `exports` and `bin` so that they are named once: `./dist/testing/index.js` is built
 * from `ts/testing/index.ts`.
 *
 * @returns {{ output: string, source: string }[]}
 */
export function publicEntries() {
  /** @type {{ exports: Record<string, string | { default: string }>, bin: Record<string, string> }} */
  const { exports, bin } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'))
  const modules = Object.values(exports).flatMap((target) => (typeof target === 'string' ? [] : [target.default]))
  return [...modules, ...Object.values(bin)].map((file) => {
    const output = file.replace(/^(?:\.\/)?dist\//, '').replace(/\.js$/, '')
    return { output, source: `ts/${output}.ts` }
  })
}

/**
 * Programs that Node starts by path: the main job, the benchmark, and what tests start as child processes and workers.
 * `examples/<name>/main.ts`, `bench/run.ts` and every `*.program.ts` become `build/programs/<same path>.js`. An example that has packages of
 * its own is built by `scripts/build/example.mjs`.
 *
 * @returns {{ output: string, source: string }[]}
 */
export function programs() {
  const sources = ['examples', 'bench', 'test'].flatMap((folder) => filesBelow(inRoot(folder)))
  return sources
    .map((file) => relative(root, file).split(sep).join('/'))
    .filter((file) => !existsSync(inRoot(dirname(file), 'package.json')))
    .filter((file) => /^examples\/[^/]+\/main\.ts$|^bench\/run\.ts$|\.program\.ts$/.test(file))
    .map((source) => ({ output: source.replace(/\.ts$/, ''), source }))
}
