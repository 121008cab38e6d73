// From a fresh clone to the running main job: installs, builds, runs. Everything after `--` goes to the job.
import { spawn } from 'node:child_process'
import process from 'node:process'
import { buildAll } from './build.mjs'
import { inRoot } from './lib/root.mjs'

await buildAll()
const job = inRoot('build', 'programs', 'examples', 'main-job', 'main.js')
const child = spawn(process.execPath, ['--enable-source-maps', job, ...process.argv.slice(2)], { stdio: 'inherit' })
// Both get a Ctrl-C from the terminal; the job decides how to end, this process waits for it.
process.on('SIGINT', () => {})
child.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal === null ? 1 : 130)
})
