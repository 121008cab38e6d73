import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { isDeepStrictEqual } from 'node:util'
import { inRoot } from './root.mjs'
import { mustRun } from './run.mjs'

/** npm's command; Windows starts `.cmd` files only by their full name. */
export const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'

/**
 * Installs what a folder's lock file says, unless that was done already.
 *
 * Install scripts stay off: no package we use needs one, and one that begins to would run code on every contributor's
 * machine. `npm install --no-save` and not `npm ci`: docs/decisions/0003-install-without-npm-ci.md.
 *
 * @param {string} [folder] holds package.json and package-lock.json
 * @param {readonly string[]} [options] more options for npm
 */
export async function ensureInstalled(folder = inRoot(), options = []) {
  const texts = ['package.json', 'package-lock.json'].map((name) => readFileSync(join(folder, name), 'utf8'))
  const hash = createHash('sha256').update(texts.join('\0')).digest('hex')
  const stamp = join(folder, 'node_modules', '.installed-from')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return
  const [manifest, lock] = texts.map((text) => JSON.parse(text))
  requireSameDependencies(manifest, lock.packages[''], folder)
  console.log(`installing ${Object.keys(lock.packages).length - 1} packages in ${folder}`)
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
  await mustRun(npm, ['install', '--no-save', '--ignore-scripts', ...quiet, ...options], { cwd: folder })
  writeFileSync(stamp, hash)
}

/**
 * What `npm ci` would check: a lock file that lags behind would let npm choose versions.
 *
 * @param {Record<string, unknown>} manifest
 * @param {Record<string, unknown>} locked
 * @param {string} folder
 */
function requireSameDependencies(manifest, locked, folder) {
  for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies']) {
    if (isDeepStrictEqual(manifest[kind], locked[kind])) continue
    console.error(`package-lock.json of ${folder} does not have the ${kind} of package.json; run npm install there`)
    process.exit(1)
  }
}
