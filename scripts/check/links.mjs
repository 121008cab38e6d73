import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { inRoot } from '../lib/root.mjs'

/**
 * Returns links to files that do not exist, and to headings that their document does not have.
 *
 * @param {readonly string[]} documents
 */
export function linkProblems(documents) {
  return documents.flatMap((document) => {
    const text = readFileSync(inRoot(document), 'utf8')
    const links = linksOf(text).flatMap((link) => {
      const problem = problemOf(document, link)
      return problem === undefined ? [] : [`${document}: ${link}: ${problem}`]
    })
    const paths = pathsOf(text).filter((path) => !existsSync(inRoot(path)))
    return [...links, ...paths.map((path) => `${document}: ${path}: no such file`)]
  })
}

/**
 * Returns the paths of the repository that a document names in code spans, such as `ts/index.ts`.
 *
 * @param {string} text
 */
export function pathsOf(text) {
  return [...text.matchAll(/`((?:crates|ts|test|scripts|examples)\/[\w./-]+)`/g)].map((match) => match[1] ?? '')
}

/** @param {string} text */
export function linksOf(text) {
  const prose = withoutCode(text)
  const inline = prose.matchAll(/\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g)
  const definitions = prose.matchAll(/^\[[^\]]+\]:\s+(\S+)/gm)
  return [...inline, ...definitions].map((match) => match[1] ?? '')
}

/** @param {string} document @param {string} link */
function problemOf(document, link) {
  if (/^[a-z][a-z0-9+.-]*:/i.test(link)) return undefined
  const [path = '', anchor] = link.split('#')
  const target = path === '' ? document : join(dirname(document), decodeURIComponent(path))
  if (!existsSync(inRoot(target))) return 'no such file'
  if (anchor === undefined || !target.endsWith('.md')) return undefined
  return anchorsOf(readFileSync(inRoot(target), 'utf8')).has(anchor) ? undefined : 'no such heading'
}

/**
 * Returns the anchors of a document, derived from its headings as on GitHub.
 *
 * @param {string} text
 */
export function anchorsOf(text) {
  const anchors = new Set()
  for (const [, heading = ''] of withoutCode(text, true).matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
    const slug = plain.replace(/[^\p{L}\p{N}\p{M}\s_-]/gu, '').replace(/\s/g, '-')
    let anchor = slug
    for (let copy = 1; anchors.has(anchor); copy += 1) anchor = `${slug}-${copy}`
    anchors.add(anchor)
  }
  return anchors
}

/** @param {string} text @param {boolean} [keepInline] */
function withoutCode(text, keepInline = false) {
  const withoutBlocks = text.replace(/^( *)(```+|~~~+)[^\n]*\n[\s\S]*?^\1\2 *$/gm, '')
  return keepInline ? withoutBlocks : withoutBlocks.replace(/`[^`\n]*`/g, '')
}
