// Runs every test of both worlds and ends with one line, `N passed, N failed`.
// Options: --long runs the long versions (millions of interleavings, thousands of kills).
import process from 'node:process'
import { parseArgs } from 'node:util'
import { buildFaultsAddon } from './build/addon.mjs'
import { buildAll } from './build.mjs'
import { ensureInstalled } from './lib/install.mjs'
import { inRoot } from './lib/root.mjs'
import { runNodeTests } from './test/node.mjs'
import { addressVariable, findOrStartPostgres } from './test/postgres.mjs'
import { runRustTests } from './test/rust.mjs'
import { schemaSuite, suiteVariable } from './test/schema-suite.mjs'

const { values } = parseArgs({ options: { long: { type: 'boolean', default: false } } })
/** @type {Record<string, string>} */
const environment = values.long ? { BAILIWICK_LONG: '1', [suiteVariable]: await schemaSuite() } : {}

await buildAll()
await buildFaultsAddon()
// The Node versions under test all bring a command named `node`, which must not get on anybody's search path.
await ensureInstalled(inRoot('test', 'package', 'nodes'), ['--no-bin-links'])
await ensureInstalled(inRoot('test', 'package', 'registry'), ['--no-bin-links'])
// Servers, clients and libraries of others that only their own tests work with.
await ensureInstalled(inRoot('test', 'mcp', 'servers'), ['--no-bin-links'])
await ensureInstalled(inRoot('test', 'schemas', 'libraries'), ['--no-bin-links'])

// One server for both worlds; each test has a database of its own on it.
const postgres = await findOrStartPostgres()
environment[addressVariable] = postgres.url
const rust = await runRustTests(environment)
const node = await runNodeTests(environment)
await postgres.stop()

const problems = [...rust.problems, ...node.problems]
for (const problem of problems) console.error(`problem: ${problem}`)
const passed = rust.passed + node.passed
// A problem (nothing ran, a skipped test, a crash) is something that no failed test stands for: it counts as one.
const failed = rust.failed + node.failed + problems.length
console.log(`rust: ${rust.passed} passed, node: ${node.passed} passed`)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
