import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { inRoot, root } from './root.mjs'

/** Folders of what tools make. */
const made = new Set(['.next', 'node_modules', 'target'])

/**
 * Every file at or below a path, sorted, so that a hash over them does not depend on the file system's order.
 *
 * @param {string} path
 * @returns {string[]}
 */
export function filesBelow(path) {
  if (!existsSync(path)) return []
  if (!statSync(path).isDirectory()) return [path]
  const names = readdirSync(path).filter((name) => !made.has(name))
  return names.sort().flatMap((name) => filesBelow(join(path, name)))
}

/**
 * One hash over the names and contents of files. Contents, not times: a checkout changes times and nothing else.
 *
 * @param {readonly string[]} paths files or folders below the top folder
 */
export function hashOf(paths) {
  const hash = createHash('sha256')
  for (const file of paths.flatMap((path) => filesBelow(inRoot(path)))) {
    hash
      .update(relative(root, file))
      .update('\0')
      .update(createHash('sha256').update(readFileSync(file)).digest())
  }
  return hash.digest('hex')
}

/**
 * Runs a step unless its inputs are those of its last success and its outputs are still there.
 *
 * @param {string} name
 * @param {{ inputs: readonly string[], outputs: readonly string[], variant?: string }} what variant: options that change the output
 * @param {() => Promise<void>} step
 */
export async function unlessUnchanged(name, what, step) {
  const stamp = inRoot('build', 'stamps', name)
  const hash = `${hashOf(what.inputs)} ${process.version} ${what.variant ?? ''}`
  const current = existsSync(stamp) && readFileSync(stamp, 'utf8') === hash
  if (current && what.outputs.every((output) => existsSync(inRoot(output)))) return
  const start = performance.now()
  await step()
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, hash)
  console.log(`built ${name} in ${((performance.now() - start) / 1000).toFixed(1)} s`)
}
