/** @import { Exported } from './exports.mjs' */

/** The heading of each doc-comment tag on a page. */
const tags = new Map([
  ['throws', 'Throws '],
  ['returns', 'Returns '],
  ['param', '- '],
  ['typeParam', '- '],
  ['example', ''],
])

/**
 * Renders the page of one entry point.
 *
 * @param {string} entry as it is imported
 * @param {Exported[]} exported
 * @returns {{ page: string, problems: string[] }}
 */
export function pageOf(entry, exported) {
  const sorted = [...exported].sort((one, other) => (one.name < other.name ? -1 : 1))
  const problems = sorted.flatMap(({ name, comment }) => {
    if (comment === '') return [`${entry}: ${name} has no doc comment`]
    return unknownTags(comment).map((tag) => `${entry}: ${name} has @${tag}, which the reference does not know`)
  })
  const list = linksTo(sorted.map(({ name }) => name)).join(' · ')
  const parts = sorted.map(
    ({ name, comment, declaration }) => `## ${name}\n\n${prose(comment)}\n\n\`\`\`ts\n${shown(declaration)}\n\`\`\`\n`,
  )
  return { page: `# ${entry}\n\n${list}\n\n${parts.join('\n')}`, problems }
}

/** Links to headings of these names, in the order of the page: GitHub counts those that differ in their letters' case alone. @param {string[]} names */
function linksTo(names) {
  /** @type {Map<string, number>} */
  const seen = new Map()
  return names.map((name) => {
    const anchor = name.toLowerCase()
    const count = seen.get(anchor) ?? 0
    seen.set(anchor, count + 1)
    return `[${name}](#${anchor}${count === 0 ? '' : `-${count}`})`
  })
}

/** @param {string} comment */
function unknownTags(comment) {
  const outside = comment.replace(/```[\s\S]*?```/g, '')
  return [...outside.matchAll(/^@(\w+)/gm)].map(([, tag = '']) => tag).filter((tag) => !tags.has(tag))
}

/** A doc comment as Markdown. @param {string} comment */
function prose(comment) {
  return comment
    .replace(/\{@link (\w+)\}/g, '`$1`')
    .replace(/^@(\w+) ?/gm, (whole, tag) => (tags.has(tag) ? `\n${tags.get(tag)}` : whole))
    .replace(/\n{3,}/g, '\n\n')
    .trim()
}

/** A declaration as a reader wants it. @param {string} declaration */
function shown(declaration) {
  return declaration.replace(/^export (?:declare )?/gm, '')
}
