// Writes the API reference, docs/api, from the declarations and doc comments of the last build. An export without a doc
// comment is a problem.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { inRoot } from './lib/root.mjs'
import { exportsOf } from './reference/exports.mjs'
import { pageOf } from './reference/page.mjs'

/** @type {{ name: string, exports: Record<string, string | { types: string }> }} */
const { name, exports } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'))
const folder = inRoot('docs', 'api')
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
const problems = []
const rows = []
let count = 0
for (const [path, target] of Object.entries(exports)) {
  if (typeof target === 'string') continue
  const entry = path.replace('.', name)
  const file = `${entry.replaceAll('/', '-')}.md`
  const { exported, problems: missing } = exportsOf(inRoot(target.types))
  const { page, problems: found } = pageOf(entry, [...exported.values()])
  writeFileSync(`${folder}/${file}`, page)
  rows.push(`- [\`${entry}\`](${file}): ${exported.size} names`)
  problems.push(...missing, ...found)
  count += exported.size
}
writeFileSync(`${folder}/README.md`, `# Reference\n\n${rows.join('\n')}\n`)

for (const problem of problems) console.error(problem)
console.log(`reference: ${count} names in docs/api, ${problems.length} problems`)
process.exitCode = problems.length === 0 && count > 0 ? 0 : 1
