import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { filesBelow } from '../lib/inputs.mjs'
import { targets } from '../lib/targets.mjs'
import { originFields } from '../pack/origin.mjs'
import { addonProblems } from './addon-file.mjs'

/** Maximum installed size of one platform in bytes: the root package and its addon. */
export const mostInstalledBytes = 10_000_000

/** Scripts that npm runs on the user's machine during an install. */
const installScripts = ['preinstall', 'install', 'postinstall', 'prepare']

/**
 * @typedef {object} Packed a package as it would be published
 * @property {string} file the .tgz
 * @property {{ name: string, version: string, optionalDependencies?: Record<string, string>, scripts?: Record<string, string>, [field: string]: unknown }} manifest
 * @property {number} installedBytes
 * @property {Buffer | undefined} addon
 * @property {string | undefined} changelog
 */

/** @param {Buffer} addon @returns {string} its SHA-256 */
export function hashOf(addon) {
  return createHash('sha256').update(addon).digest('hex')
}

/** @param {string} folder @returns {Packed[]} what lies packed in a folder, the platform packages before the root */
export function readPackages(folder) {
  const packed = readdirSync(folder)
    .filter((name) => name.endsWith('.tgz'))
    .sort()
    .map((name) => readPackage(join(folder, name)))
  return packed.sort((left, right) => Number(isRoot(left)) - Number(isRoot(right)))
}

/** @param {Packed} packed */
function isRoot({ manifest }) {
  return !manifest.name.startsWith('@')
}

/** @param {string} file @returns {Packed} */
function readPackage(file) {
  const folder = mkdtempSync(join(tmpdir(), 'bailiwick-release-'))
  try {
    execFileSync('tar', ['-xzf', file, '-C', folder])
    const files = filesBelow(join(folder, 'package'))
    const addon = files.find((each) => each.endsWith('.node'))
    return {
      file,
      manifest: JSON.parse(readFileSync(join(folder, 'package', 'package.json'), 'utf8')),
      installedBytes: files.reduce((sum, each) => sum + statSync(each).size, 0),
      addon: addon === undefined ? undefined : readFileSync(addon),
      changelog: files.filter((each) => each.endsWith('CHANGELOG.md')).map((each) => readFileSync(each, 'utf8'))[0],
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * Returns why these packages must not be published together: one is missing, superfluous, at another version or invalid, or
 * its addon is not the built one.
 *
 * @param {Packed[]} packages
 * @param {string} version
 * @param {Readonly<Record<string, string>>} [built] the hash of each platform's addon where it was built; not compared if absent
 * @returns {string[]}
 */
export function releaseProblems(packages, version, built) {
  const expected = new Map(targets().map((target) => [`@bailiwick/${target.name}`, target]))
  const problems = ['bailiwick', ...expected.keys()].flatMap((name) => {
    const found = packages.filter(({ manifest }) => manifest.name === name).length
    return found === 1 ? [] : [`${name} is there ${found} times`]
  })
  const root = packages.find(isRoot)
  for (const { manifest, addon, installedBytes, changelog } of packages) {
    const { name, optionalDependencies, scripts } = manifest
    const say = (/** @type {string} */ problem) => problems.push(`${name} ${problem}`)
    if (manifest.version !== version) say(`is at ${manifest.version}, not ${version}`)
    for (const script of installScripts) if (scripts?.[script] !== undefined) say(`has the script ${script}`)
    const target = expected.get(name)
    if (target === undefined && name !== 'bailiwick') say('is none of our packages')
    if (name === 'bailiwick') {
      const exact = Object.fromEntries([...expected.keys()].map((each) => [each, version]))
      if (!isDeepStrictEqual(optionalDependencies, exact)) say(`does not ask for every platform at exactly ${version}`)
      if (addon !== undefined) say('holds an addon')
      if (!changelog?.includes(`\n## [${version}]`)) say(`has no section of ${version} in its changelog`)
      const missing = originFields.filter((field) => manifest[field] === undefined)
      if (missing.length > 0) say(`lacks ${missing.join(', ')}: pack with --repository <where the sources are public>`)
    } else if (!isDeepStrictEqual(manifest['repository'], root?.manifest['repository'])) {
      say('names another repository than the root package')
    }
    if (target === undefined) continue
    if (addon === undefined) say('holds no addon')
    for (const problem of addon === undefined ? [] : addonProblems(addon, target)) say(problem)
    if (built !== undefined && addon !== undefined && hashOf(addon) !== built[target.name]) {
      say(
        `holds another addon than was built: ${hashOf(addon)}, not ${built[target.name] ?? 'one whose hash is known'}`,
      )
    }
    const installed = installedBytes + (root?.installedBytes ?? 0)
    if (installed > mostInstalledBytes) say(`takes ${installed} bytes with the root; ${mostInstalledBytes} are allowed`)
  }
  return problems
}
