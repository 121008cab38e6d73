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

const ruler = '='.repeat(80)

/** Where the words of the MIT, ISC and BSD licences begin; before it stand the names of those who hold the rights. */
const grant = /^(?:Permission is hereby granted|Permission to use, copy|Redistribution and use)/m

/**
 * Lists components, and each licence text once, below the names and copyright lines of those that carry it. Texts that differ by
 * their spaces alone are one. A component that offers a choice with MIT in it is taken under MIT, the shortest.
 *
 * @param {readonly Component[]} components
 */
export function licenceList(components) {
  const list = components.map(({ name, version, licence }) => `${name} ${version}: ${licence}`)
  /** @type {Map<string, { text: string, holders: Map<string, Set<string>> }>} */
  const texts = new Map()
  for (const { name, folder, licence } of components) {
    for (const file of licenceFiles(readdirSync(folder), licence)) {
      const whole = filesBelow(join(folder, file))
        .map((each) => readFileSync(each, 'utf8').trim())
        .join('\n\n')
      const start = whole.search(grant)
      const [holder, text] = start > 0 ? [whole.slice(0, start).trim(), whole.slice(start)] : ['', whole]
      const words = text.replaceAll(/\s+/g, ' ')
      const known = texts.get(words) ?? { text, holders: new Map() }
      known.holders.set(holder, (known.holders.get(holder) ?? new Set()).add(name))
      texts.set(words, known)
    }
  }
  const bodies = [...texts.values()].map(({ text, holders }) => {
    const carriers = [...holders].map(([holder, names]) => `${[...names].join(', ')}\n${holder}`.trim())
    return `${ruler}\n${carriers.join('\n\n')}\n${ruler}\n\n${text}`
  })
  const choice = 'A component that offers a choice of licences, MIT among them, is contained under MIT.'
  return `${['This package contains code of:', '', ...list, '', choice, '', ...bodies].join('\n')}\n`
}

/**
 * Returns the files that state the licence of a component: where it offers a choice with MIT in it, and has a file of that name,
 * the one of MIT and notices alone.
 *
 * @param {readonly string[]} files of the component's folder
 * @param {string} licence an SPDX expression, or two licences with a slash between them
 */
export function licenceFiles(files, licence) {
  const stating = files.filter((file) => /^(licen[cs]e|copying|notice|copyright)/i.test(file)).sort()
  const isChoice = !/[()]|\bAND\b/.test(licence) && licence.split(/ OR |\//).includes('MIT')
  const isOfMit = (/** @type {string} */ file) => /\bmit\b/i.test(file)
  if (!isChoice || !stating.some(isOfMit)) return stating
  return stating.filter((file) => isOfMit(file) || /^(notice|copyright)/i.test(file))
}
