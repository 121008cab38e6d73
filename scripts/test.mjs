// Runs every test of both languages and ends with one line, `N passed, N failed`.
// Options: --only rust or --only node runs the tests of one; --long runs the long versions (millions of interleavings,
// thousands of kills).
import process from 'node:process'
import { parseArgs } from 'node:util'
import { buildFaultsAddon } from './build/addon.mjs'
import { buildExample } from './build/example.mjs'
import { buildAll } from './build.mjs'
import { ensureInstalled } from './lib/install.mjs'
import { inRoot } from './lib/root.mjs'
import { runNodeTests } from './test/node.mjs'
import { addressVariable, findOrStartPostgres } from './test/postgres.mjs'
import { runRustTests } from './test/rust.mjs'
import { schemaSuite, suiteVariable } from './test/schema-suite.mjs'

const options = /** @type {const} */ ({ long: { type: 'boolean', default: false }, only: { type: 'string' } })
const { values } = parseArgs({ options })
if (values.only !== undefined && values.only !== 'rust' && values.only !== 'node') {
  console.error(`--only is rust or node, not ${values.only}`)
  process.exit(2)
}
/** @type {Record<string, string>} */
const environment = values.long ? { BAILIWICK_LONG: '1', [suiteVariable]: await schemaSuite() } : {}

await ensureInstalled()
if (values.only !== 'rust') await buildForNodeTests()
// One server for both languages; each test has a database of its own on it.
const postgres = await findOrStartPostgres()
environment[addressVariable] = postgres.url
const results = []
if (values.only !== 'node') results.push({ name: 'rust', ...(await runRustTests(environment)) })
if (values.only !== 'rust') results.push({ name: 'node', ...(await runNodeTests(environment)) })
await postgres.stop()

const problems = results.flatMap((result) => result.problems)
for (const failure of results.flatMap((result) => result.failures)) console.log(`failed: ${failure}`)
for (const problem of problems) console.log(`problem: ${problem}`)
const passed = results.reduce((sum, result) => sum + result.passed, 0)
// A problem that no failed test represents (no test ran, a skipped test, a crash) counts as a failure.
const failed = results.reduce((sum, result) => sum + result.failed, problems.length)
console.log(results.map((result) => `${result.name}: ${result.passed} passed`).join(', '))
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

async function buildForNodeTests() {
  await buildAll()
  await buildFaultsAddon()
  await buildExample('chat')
  // The Node versions under test all bring a command named `node`, which must not get onto the search path.
  await ensureInstalled(inRoot('test', 'package', 'nodes'), ['--no-bin-links'])
  await ensureInstalled(inRoot('test', 'package', 'registry'), ['--no-bin-links'])
  await ensureInstalled(inRoot('test', 'package', 'tools'), ['--no-bin-links'])
  if (values.long) {
    await ensureInstalled(inRoot('test', 'package', 'next'), ['--no-bin-links'])
    await ensureInstalled(inRoot('examples', 'chat-next'), ['--no-bin-links'])
  }
  // Servers, clients and libraries of others that only their own tests work with.
  await ensureInstalled(inRoot('test', 'mcp', 'servers'), ['--no-bin-links'])
  await ensureInstalled(inRoot('test', 'schemas', 'libraries'), ['--no-bin-links'])
}
