// Builds and runs the benchmark. Everything after `--` goes to it.
import { existsSync } from 'node:fs'
import process from 'node:process'
import { buildAll } from './build.mjs'
import { ensureInstalled, npm } from './lib/install.mjs'
import { inRoot } from './lib/root.mjs'
import { mustRun, run } from './lib/run.mjs'

/**
 * better-sqlite3 is the only rival whose packages do not contain its addon: it is fetched, or compiled with the headers of
 * this Node. If neither works the benchmark says so and compares with the others.
 */
async function buildSqlite() {
  if (existsSync(inRoot('bench', 'node_modules', 'better-sqlite3', 'build', 'Release', 'better_sqlite3.node'))) return
  await run(npm, ['rebuild', 'better-sqlite3', '--loglevel=error'], { cwd: inRoot('bench') })
}

await buildAll()
await ensureInstalled(inRoot('bench'))
await buildSqlite()
await mustRun(process.execPath, [
  '--expose-gc',
  inRoot('build', 'programs', 'bench', 'run.js'),
  ...process.argv.slice(2),
])
