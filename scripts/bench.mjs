// Builds and runs the benchmark. Everything after `--` goes to it.
import process from 'node:process'
import { buildAll } from './build.mjs'
import { inRoot } from './lib/root.mjs'
import { mustRun } from './lib/run.mjs'

await buildAll()
await mustRun(process.execPath, [
  '--expose-gc',
  inRoot('build', 'programs', 'bench', 'run.js'),
  ...process.argv.slice(2),
])
