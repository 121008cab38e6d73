import { readFileSync } from 'node:fs'
import { trackedFiles } from '../lib/git.mjs'
import { inRoot } from '../lib/root.mjs'

/** Returns tests whose title begins with the id of a promise instead of stating it. */
export async function titleProblems() {
  const files = await trackedFiles(['test/*.ts', 'crates/*.rs'])
  return files.flatMap((file) => problemsOf(file, readFileSync(inRoot(file), 'utf8')))
}

/** @param {string} file @param {string} source */
export function problemsOf(file, source) {
  const titles = file.endsWith('.rs')
    ? /\bfn ((?:[bmsdwpr]\d+|inv)_\w+)/g
    : /['"`]([MBSDWPR]\d+(?:, [MBSDWPR]\d+)*: [^\n]+)/g
  return [...source.matchAll(titles)].map(([, title]) => `${file}: ${title}: state the promise without its id`)
}
