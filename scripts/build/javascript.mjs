import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { programs, publicEntries } from '../lib/entries.mjs'
import { filesBelow, unlessUnchanged } from '../lib/inputs.mjs'
import { inRoot } from '../lib/root.mjs'

const tooling = ['package.json', 'package-lock.json', 'scripts/build', 'scripts/lib']

/** What importing the package loads, in one file: resolving and reading one takes Node a millisecond. */
const core = {
  name: 'core',
  test: /\/ts\/(arguments|common|errors|ledger|native|session|spec|store|types)\/|\/ts\/(index|runs\/host\/(failures|guarded-signal|host-errors|host-parts)|telemetry\/options|tenant\/(create-runtime|parse-runtime-spec))\.|\/node_modules\/zod\//,
  priority: 1,
}

/** What the first runtime loads besides: handles, runs, and what they send to models. */
const handles = { name: 'handles', test: /\/ts\/(prompt|runs|telemetry|tenant)\// }

/**
 * Names of functions and classes stay, for stack traces and for those who look at an error; spaces, comments and the names of
 * variables go. Node compiles a third less when the package is imported.
 */
const minify = { compress: true, mangle: { keepNames: true }, codegen: true }

/** What `npx bailiwick init` copies: the bundle has the texts. */
const template = 'examples/project'

/** Puts the text of a file into the bundle for an import of `<file>?raw`, as Vite does for the tests. */
const raw = {
  name: 'raw',
  /** @param {string} specifier @param {string | undefined} importer */
  resolveId: (specifier, importer) =>
    specifier.endsWith('?raw') && importer !== undefined ? resolve(dirname(importer), specifier) : undefined,
  /** @param {string} id */
  load: (id) =>
    id.endsWith('?raw')
      ? {
          code: `export default ${JSON.stringify(readFileSync(id.slice(0, -'?raw'.length), 'utf8'))}`,
          moduleType: 'js',
        }
      : undefined,
}

/** Bundles the public entry points into `dist/`, with what they use of our development dependencies inside. */
export function buildLibrary() {
  const entries = publicEntries()
  const outputs = entries.map(({ output }) => `dist/${output}.js`)
  return unlessUnchanged('library', { inputs: ['ts', template, ...tooling], outputs }, async () => {
    rmSync(inRoot('dist'), { recursive: true, force: true })
    // What the host brings stays an import.
    await bundle(entries, 'dist', [/^node:/, '@opentelemetry/api'], minify)
    for (const file of filesBelow(inRoot('dist'))) if (file.endsWith('.map')) leaveOutSources(file)
  })
}

/** Bundles the programs. They import the built package by its own name, as a user's code would. */
export function buildPrograms() {
  const entries = programs()
  const inputs = ['examples', 'bench', 'test', ...tooling]
  const outputs = entries.map(({ output }) => `build/programs/${output}.js`)
  return unlessUnchanged('programs', { inputs, outputs }, async () => {
    rmSync(inRoot('build', 'programs'), { recursive: true, force: true })
    // Everything that is not a relative path stays an import: programs run inside the repository.
    await bundle(entries, 'build/programs', [/^[^./]/])
  })
}

/**
 * A map says where in the sources a place comes from without holding them: they are most of its bytes, and who reads a
 * stack trace has the repository.
 *
 * @param {string} file
 */
function leaveOutSources(file) {
  const { sourcesContent: _, ...map } = JSON.parse(readFileSync(file, 'utf8'))
  writeFileSync(file, JSON.stringify(map))
}

/**
 * @param {{ output: string, source: string }[]} entries
 * @param {string} folder
 * @param {(RegExp | string)[]} external
 * @param {typeof minify | false} minified
 */
async function bundle(entries, folder, external, minified = false) {
  if (entries.length === 0) return
  // Loaded late: this file is imported before packages are installed.
  const { build } = await import('rolldown')
  await build({
    cwd: inRoot(),
    input: Object.fromEntries(entries.map(({ output, source }) => [output, `./${source}`])),
    external,
    plugins: [raw],
    platform: 'node',
    transform: { target: 'node20.19' },
    // A name that nobody exports is a mistake, not a warning.
    onLog: (level, log) => {
      if (level === 'warn') throw new Error(log.message)
    },
    output: {
      dir: inRoot(folder),
      format: 'esm',
      sourcemap: true,
      minify: minified,
      codeSplitting: { groups: [core, handles] },
      entryFileNames: '[name].js',
      chunkFileNames: 'shared/[name].js',
    },
  })
}
