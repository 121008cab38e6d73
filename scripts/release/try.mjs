// Tries the packed packages as a user would, on this machine or in this container: installs the root and this platform's
// package into an empty project, without network and scripts, and runs a first job by import and by require.
// node scripts/release/try.mjs <folder with the .tgz files>
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { platformName } from '../lib/platform.mjs'
import { inRoot } from '../lib/root.mjs'

const [folder] = process.argv.slice(2)
if (folder === undefined) {
  console.error('usage: node scripts/release/try.mjs <folder with the .tgz files>')
  process.exit(2)
}
const packages = readdirSync(folder).filter(
  (name) => /^bailiwick-\d/.test(name) || name.includes(`-${platformName()}-`),
)
if (packages.length !== 2) {
  console.error(`${folder} holds ${packages.join(', ') || 'none'} of the root and ${platformName()}; both are needed`)
  process.exit(1)
}
const project = mkdtempSync(join(tmpdir(), 'bailiwick-try-'))
try {
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'stranger', private: true }))
  const quoted = packages.map((name) => `"${resolve(folder, name)}"`).join(' ')
  // Through a shell: on Windows npm is a batch file, which needs one.
  const options = '--offline --ignore-scripts --no-audit --no-fund'
  execFileSync(`npm install ${options} ${quoted}`, { cwd: project, shell: true, stdio: 'inherit' })
  cpSync(inRoot('test', 'package', 'consumer'), project, { recursive: true })
  for (const script of ['import.mjs', 'require.cjs']) {
    const output = execFileSync(process.execPath, [script], { cwd: project, encoding: 'utf8' })
    const { found } = JSON.parse(output)
    if (found?.hello !== 'world') throw new Error(`${script} printed ${output}`)
    console.log(`${platformName()}, Node ${process.version}: ${script} works`)
  }
} finally {
  rmSync(project, { recursive: true, force: true })
}
