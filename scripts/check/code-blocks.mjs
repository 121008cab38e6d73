import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { fencesOf, shownFile } from '../lib/fences.mjs'
import { inRoot } from '../lib/root.mjs'
import { run, tool } from '../lib/run.mjs'

const folder = inRoot('build', 'documents')

/**
 * Compiles every `ts` block of the documents as a module of its own that imports the package by name, so that a reader can
 * copy it as it is.
 *
 * @param {readonly string[]} documents
 */
export async function codeProblems(documents) {
  const blocks = documents.flatMap((document) => blocksOf(document, readFileSync(inRoot(document), 'utf8')))
  rmSync(folder, { recursive: true, force: true })
  if (blocks.length === 0) return []
  mkdirSync(folder, { recursive: true })
  for (const { name, code } of blocks) writeFileSync(`${folder}/${name}`, `${code}\nexport {}\n`)
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify({ extends: '../../tsconfig.json', include: ['*.ts'] }))
  const { code } = await run(process.execPath, [tool('tsc'), '-p', folder])
  return code === 0 ? [] : ['code blocks do not compile, shown above (<document>.<line>.ts)']
}

/**
 * @param {string} document
 * @param {string} text
 */
function blocksOf(document, text) {
  return fencesOf(text)
    .filter(({ language, code }) => (language === 'ts' || language === 'typescript') && shownFile(code) === undefined)
    .map(({ line, code }) => ({ name: `${document.replace(/[^A-Za-z0-9]+/g, '-')}.${line}.ts`, code }))
}
