import { existsSync } from 'node:fs'
import { inRoot } from './root.mjs'
import { mustRun } from './run.mjs'

/**
 * The files of the project: tracked or new, not ignored, not deleted; relative to the top folder.
 *
 * @param {readonly string[]} patterns as git understands them: `*.md` matches in every folder
 */
export async function trackedFiles(patterns) {
  const list = ['ls-files', '--cached', '--others', '--exclude-standard', '-z', '--', ...patterns]
  const output = await mustRun('git', list, { quiet: true })
  return output.split('\0').filter((file) => file !== '' && existsSync(inRoot(file)))
}
