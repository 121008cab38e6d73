// From a fresh clone to a running example: installs, builds, runs the main job, or the example that `--program` names.
// All other options go to the example.
import { spawn } from 'node:child_process'
import process from 'node:process'
import { buildExample, hasOwnPackages } from './build/example.mjs'
import { buildAll } from './build.mjs'
import { inRoot } from './lib/root.mjs'

await buildAll()
const given = process.argv.slice(2)
const [name = 'main-job', options] = given[0] === '--program' ? [given[1], given.slice(2)] : ['main-job', given]
if (hasOwnPackages(name)) await buildExample(name)
const program = inRoot('build', 'programs', 'examples', name, 'main.js')
const child = spawn(process.execPath, ['--enable-source-maps', program, ...options], { stdio: 'inherit' })
// The terminal sends Ctrl-C to both processes; the example decides how to end, and this process waits for it.
process.on('SIGINT', () => {})
child.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal === null ? 1 : 130)
})
