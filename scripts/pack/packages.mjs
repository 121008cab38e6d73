import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { npm } from '../lib/install.mjs'
import { inRoot } from '../lib/root.mjs'
import { mustRun } from '../lib/run.mjs'
import { targets } from '../lib/targets.mjs'
import { cratesInside, licenceList, licencesFile, packagesInside } from './licences.mjs'
import { originOf, publishedDocument } from './origin.mjs'

/**
 * @typedef {object} Manifest the fields that are read here
 * @property {string} name
 * @property {string} version
 * @property {string[]} files
 */

/** Fields that help to develop the package and say nothing to those who install it. */
const developmentFields = ['scripts', 'devDependencies', 'optionalDependencies']

/**
 * Packs the root package and every platform package whose addon is there, as they were built last.
 *
 * The published root names the platform packages as optional dependencies. The repository's own package.json cannot:
 * they are not published when it is installed (docs/decisions/0004-name-platform-packages-when-packing.md).
 *
 * @param {string} destination a folder, made if need be
 * @param {string} [address] where the sources are public. Without it the packages say so nowhere, and the gate refuses them
 * @returns {Promise<{ root: string, platforms: Record<string, string> }>} the .tgz files; platforms by their name
 */
export async function packAll(destination, address) {
  const origin = address === undefined ? undefined : originOf(address)
  mkdirSync(destination, { recursive: true })
  const root = readManifest(inRoot())
  const manifests = targets().map(({ name, triple }) => ({ name, triple, manifest: readManifest(inRoot('npm', name)) }))
  for (const { manifest } of manifests) {
    if (manifest.version === root.version) continue
    throw new Error(`${manifest.name} is at ${manifest.version}, the root package at ${root.version}`)
  }
  const optionalDependencies = Object.fromEntries(manifests.map(({ manifest }) => [manifest.name, manifest.version]))
  const published = Object.entries(root).filter(([field]) => !developmentFields.includes(field))
  /** @type {Record<string, string>} */
  const platforms = {}
  for (const { name, triple, manifest } of manifests) {
    if (!existsSync(inRoot('npm', name, `bailiwick.${name}.node`))) continue
    const components = await cratesInside(triple)
    const own = { ...manifest, repository: origin?.repository }
    platforms[name] = await pack(inRoot('npm', name), own, { components, destination, address })
  }
  const own = { ...Object.fromEntries(published), ...origin, optionalDependencies }
  return { root: await pack(inRoot(), own, { components: packagesInside(), destination, address }), platforms }
}

/** @param {string} folder @returns {Manifest} */
function readManifest(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}

/**
 * Packs a copy of the listed files, so that the manifest can differ from the repository's.
 *
 * @param {string} folder
 * @param {object} manifest
 * @param {object} how
 * @param {readonly import('./licences.mjs').Component[]} how.components whose code is inside
 * @param {string} how.destination
 * @param {string | undefined} how.address
 */
async function pack(folder, manifest, { components, destination, address }) {
  const { files, version } = /** @type {Manifest} */ (manifest)
  const isPackaged = (/** @type {string} */ path) => files.some((file) => path === file || path.startsWith(`${file}/`))
  const copy = mkdtempSync(join(tmpdir(), 'bailiwick-pack-'))
  try {
    for (const file of files) {
      if (file === licencesFile) writeFileSync(join(copy, file), licenceList(components))
      else cpSync(source(folder, file), join(copy, file), { recursive: true })
      if (!file.endsWith('.md')) continue
      const text = readFileSync(join(copy, file), 'utf8')
      writeFileSync(join(copy, file), publishedDocument(text, { address, version, isPackaged }))
    }
    writeFileSync(join(copy, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
    const output = await mustRun(npm, ['pack', '--json', '--ignore-scripts', '--pack-destination', destination], {
      cwd: copy,
      quiet: true,
    })
    return join(destination, JSON.parse(output)[0].filename)
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

/** The licences lie once, at the top. @param {string} folder @param {string} file */
function source(folder, file) {
  const own = join(folder, file)
  return existsSync(own) ? own : inRoot(file)
}
