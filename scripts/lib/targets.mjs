import { readFileSync } from 'node:fs'
import { inRoot } from './root.mjs'

/** The oldest glibc that the addons for it may need: what the oldest Node that we support needs itself. */
export const oldestGlibc = /** @type {const} */ ([2, 28])

const systems = /** @type {const} */ ({
  'apple-darwin': { os: 'darwin', abi: '', libc: undefined, library: 'libbailiwick.dylib' },
  'pc-windows-msvc': { os: 'win32', abi: '-msvc', libc: undefined, library: 'bailiwick.dll' },
  'unknown-linux-gnu': { os: 'linux', abi: '-gnu', libc: 'glibc', library: 'libbailiwick.so' },
  'unknown-linux-musl': { os: 'linux', abi: '-musl', libc: 'musl', library: 'libbailiwick.so' },
})

/**
 * One platform that a package is published for, under the names that the compiler, npm and the linker give it.
 *
 * @typedef {{ triple: string, name: string, os: string, cpu: string, libc: string | undefined, library: string }} Target
 */

/** @returns {Target[]} every target of package.json, in its order */
export function targets() {
  /** @type {{ napi: { targets: string[] } }} */
  const { napi } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'))
  return napi.targets.map(targetOf)
}

/** @param {string} triple @returns {Target} */
function targetOf(triple) {
  const [, architecture, system = ''] = triple.match(/^(x86_64|aarch64)-(.+)$/) ?? []
  const known = Object.entries(systems).find(([name]) => name === system)?.[1]
  if (known === undefined) throw new Error(`${triple} has no rule in scripts/lib/targets.mjs`)
  const cpu = architecture === 'x86_64' ? 'x64' : 'arm64'
  const { os, abi, libc, library } = known
  return { triple, name: `${os}-${cpu}${abi}`, os, cpu, libc, library }
}
