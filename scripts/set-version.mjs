// Sets the version of everything that is released: node scripts/set-version.mjs 0.2.0
// The changelog's heading is for the release's author; the script checks nothing but the version's form.
import { readFileSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { inRoot } from './lib/root.mjs'
import { mustRun } from './lib/run.mjs'
import { targets } from './lib/targets.mjs'

const version = process.argv[2] ?? ''
if (!/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(version)) {
  console.error('usage: npm run version:set -- <major.minor.patch>')
  process.exit(2)
}
const manifests = ['package.json', ...targets().map(({ name }) => `npm/${name}/package.json`)]
for (const file of manifests) replace(file, /^( {2}"version": ")[^"]+/m, 1)
// The lock file names its own package twice, at the top; every other version in it belongs to a dependency.
replace('package-lock.json', /("name": "bailiwick",\n\s+"version": ")[^"]+/g, 2)
// That of an example names it once, as a link to this folder.
replace('examples/chat-next/package-lock.json', /("name": "bailiwick",\n\s+"version": ")[^"]+/g, 1)
replace('ts/common/version.ts', /(VERSION = ')[^']+/, 1)
replace('Cargo.toml', /^(\[workspace\.package\]\nversion = ")[^"]+/m, 1)
await mustRun('cargo', ['update', '--workspace', '--offline', '--quiet'])

/**
 * Writes the version behind what the pattern's first group matches.
 *
 * @param {string} file
 * @param {RegExp} pattern
 * @param {number} times how often it must match
 */
function replace(file, pattern, times) {
  let found = 0
  const text = readFileSync(inRoot(file), 'utf8').replace(pattern, (_, before) => {
    found += 1
    return before + version
  })
  if (found !== times)
    throw new Error(`${file} has its version ${found} times, not ${times}; nothing was written to it`)
  writeFileSync(inRoot(file), text)
  console.log(`${version} in ${file}`)
}
