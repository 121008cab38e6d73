// Checks what ARCHITECTURE.md promises about the shape of the code: who may depend on whom, and how long a file may be.
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { crateProblems } from './check/crates.mjs'
import { moduleProblems } from './check/modules.mjs'
import { trackedFiles } from './lib/git.mjs'
import { inRoot } from './lib/root.mjs'

/** About 400, with room to finish a thought. */
const longestFile = 450

async function lengthProblems() {
  const files = await trackedFiles(['*.rs', '*.ts', '*.mjs'])
  return files.flatMap((file) => {
    const lines = readFileSync(inRoot(file), 'utf8').split('\n').length - 1
    return lines > longestFile ? [`${file} has ${lines} lines; split it, ${longestFile} are allowed`] : []
  })
}

const problems = [...(await crateProblems()), ...(await moduleProblems()), ...(await lengthProblems())]
for (const problem of problems) console.error(problem)
console.log(`structure: ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1
