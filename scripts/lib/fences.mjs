/**
 * @typedef {object} Fence a fenced block of a document
 * @property {number} line where it begins, from 1
 * @property {string} language what stands behind its opening fence; empty if nothing does
 * @property {string} code
 */

/**
 * The file that a block shows, which a command of the document has made: its first line names it. Such a block is not run by itself.
 *
 * @param {string} code
 * @returns {string | undefined}
 */
export function shownFile(code) {
  return /^\/\/ (\S+\.[jt]s)\n/.exec(code)?.[1]
}

/**
 * The fenced blocks of a document, in order.
 *
 * @param {string} text
 * @returns {Fence[]}
 */
export function fencesOf(text) {
  return [...text.matchAll(/^```([^\n`]*)\n([\s\S]*?)^```$/gm)].map((match) => ({
    line: text.slice(0, match.index).split('\n').length,
    language: (match[1] ?? '').trim(),
    code: match[2] ?? '',
  }))
}
