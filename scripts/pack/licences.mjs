import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { filesBelow } from '../lib/inputs.mjs'
import { inRoot } from '../lib/root.mjs'
import { mustRun } from '../lib/run.mjs'

/** The file in each package that names the licences of what others wrote and we put in. */
export const licencesFile = 'THIRD-PARTY-LICENSES.txt'

/** @typedef {{ name: string, version: string, licence: string, folder: string }} Component */

/**
 * The crates that are linked into the addon for one target.
 *
 * @param {string} triple
 * @returns {Promise<Component[]>}
 */
export async function cratesInside(triple) {
  const parameters = ['metadata', '--format-version', '1', '--locked', '--filter-platform', triple]
  /** @type {{ packages: { id: string, name: string, version: string, license: string, manifest_path: string, source: string | null }[],
   *   resolve: { nodes: { id: string, deps: { pkg: string, dep_kinds: { kind: string | null }[] }[] }[] } }} */
  const { packages, resolve } = JSON.parse(await mustRun('cargo', parameters, { quiet: true }))
  const nodes = new Map(resolve.nodes.map((node) => [node.id, node]))
  const root = packages.find(({ name }) => name === 'bailiwick-node')
  const inside = new Set(root === undefined ? [] : [root.id])
  for (const id of inside) {
    for (const { pkg, dep_kinds: kinds } of nodes.get(id)?.deps ?? []) {
      if (kinds.some(({ kind }) => kind === null)) inside.add(pkg)
    }
  }
  const foreign = packages.filter(({ id, source }) => inside.has(id) && source !== null)
  return foreign.map(({ name, version, license, manifest_path }) => {
    return { name, version, licence: license, folder: dirname(manifest_path) }
  })
}

/** The npm packages whose code is bundled into `dist/`, as its source maps tell. @returns {Component[]} */
export function packagesInside() {
  const maps = filesBelow(inRoot('dist')).filter((file) => file.endsWith('.js.map'))
  const sources = maps.flatMap((file) => JSON.parse(readFileSync(file, 'utf8')).sources.map(String))
  const names = sources.flatMap((source) => source.match(/.*node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1] ?? [])
  return [...new Set(names)].sort().map((name) => {
    const folder = inRoot('node_modules', name)
    const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    return { name, version, licence: license, folder }
  })
}

/**
 * Lists components, and each licence text once, below the names of those that carry it. Texts that differ by
 * their spaces alone are one.
 *
 * @param {readonly Component[]} components
 */
export function licenceList(components) {
  const list = components.map(({ name, version, licence }) => `${name} ${version}: ${licence}`)
  /** @type {Map<string, { text: string, names: Set<string> }>} */
  const texts = new Map()
  for (const { name, folder } of components) {
    for (const file of readdirSync(folder).sort()) {
      if (!/^(licen[cs]e|copying|notice|copyright)/i.test(file)) continue
      const text = filesBelow(join(folder, file))
        .map((each) => readFileSync(each, 'utf8').trim())
        .join('\n\n')
      const words = text.replaceAll(/\s+/g, ' ')
      const known = texts.get(words) ?? { text, names: new Set() }
      known.names.add(name)
      texts.set(words, known)
    }
  }
  const ruler = '='.repeat(80)
  const bodies = [...texts.values()].map(({ text, names }) => `${ruler}\n${[...names].join(', ')}\n${ruler}\n\n${text}`)
  return `${['This package contains code of:', '', ...list, '', ...bodies].join('\n')}\n`
}
