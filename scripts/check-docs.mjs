// Checks the documents: links, code blocks, the lists of guarantees, decisions and terms, and the Rust reference.
import process from 'node:process'
import { codeProblems } from './check/code-blocks.mjs'
import { linkProblems } from './check/links.mjs'
import { registerProblems } from './check/registers.mjs'
import { trackedFiles } from './lib/git.mjs'
import { run } from './lib/run.mjs'

const documents = await trackedFiles(['*.md'])
const problems = [...linkProblems(documents), ...registerProblems(), ...(await codeProblems(documents))]
const reference = await run('cargo', ['doc', '--release', '--no-deps', '--workspace', '--locked'], {
  env: { RUSTDOCFLAGS: '-D warnings' },
})
if (reference.code !== 0) problems.push('cargo doc has warnings or errors, shown above')

for (const problem of problems) console.error(problem)
console.log(`documents: ${documents.length} files, ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1
