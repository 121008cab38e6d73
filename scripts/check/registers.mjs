import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { inRoot } from '../lib/root.mjs'

/** @param {string[]} path */
const read = (...path) => readFileSync(inRoot(...path), 'utf8')

/** Returns what is missing or wrong in the lists of the documents: guarantees, decisions, glossary. */
export function registerProblems() {
  const decisions = readdirSync(inRoot('docs', 'decisions'))
  return [
    ...guaranteeProblems(read('docs', 'guarantees.md'), read('ARCHITECTURE.md'), (path) => existsSync(inRoot(path))),
    ...decisionProblems(read('docs', 'decisions', 'README.md'), decisions, (name) => read('docs', 'decisions', name)),
    ...glossaryProblems(read('docs', 'glossary.md')),
  ]
}

/**
 * Returns tests that do not exist, promises without a test, and invariants without a promise.
 *
 * @param {string} guarantees
 * @param {string} architecture
 * @param {(path: string) => boolean} exists
 */
export function guaranteeProblems(guarantees, architecture, exists) {
  const rows = guarantees.split('\n').filter((line) => /^\| [A-Z]/.test(line))
  const problems = rows.flatMap((row) => {
    const [, id = '', , tests = ''] = row.split(' | ').join('|').split('|')
    const paths = [...tests.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '')
    if (paths.length === 0 && !tests.startsWith('none yet: ')) return [`docs/guarantees.md: ${id} names no test`]
    return paths.filter((path) => !exists(path)).map((path) => `docs/guarantees.md: ${id}: no such test: ${path}`)
  })
  const invariants = new Set(architecture.match(/INV-[A-Z-]+[A-Z]/g) ?? [])
  for (const name of invariants) {
    if (!rows.some((row) => row.includes(name))) problems.push(`docs/guarantees.md: ${name} has no row`)
  }
  return problems
}

/**
 * Returns decisions that the index lacks, or lists under another title.
 *
 * @param {string} index
 * @param {readonly string[]} names the files of the folder
 * @param {(name: string) => string} text
 */
export function decisionProblems(index, names, text) {
  return names.flatMap((name) => {
    if (!/^\d{4}-/.test(name)) return []
    const [, number = '', title = ''] = /^# (\d+)\. (.+)$/m.exec(text(name)) ?? []
    if (Number(number) !== Number(name.slice(0, 4))) return [`docs/decisions/${name}: its title has another number`]
    const row = `| [${number}](${name}) | ${title} |`
    return index.includes(row) ? [] : [`docs/decisions/README.md: there is no row that begins ${row}`]
  })
}

/** @param {string} glossary */
export function glossaryProblems(glossary) {
  const terms = [...glossary.matchAll(/^\| ([^|]+) \| (?!meaning|---)/gm)].map((match) =>
    (match[1] ?? '').toLowerCase(),
  )
  return terms.flatMap((term, at) => {
    const before = terms[at - 1]
    return before === undefined || before < term ? [] : [`docs/glossary.md: ${term} stands behind ${before}`]
  })
}
