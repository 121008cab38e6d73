// Builds what has changed since the last build: the addon, the bundles, the declarations and the programs.
// Options: --profile dist (the addon as it is published).
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { buildAddon } from './build/addon.mjs'
import { buildDeclarations } from './build/declarations.mjs'
import { buildLibrary, buildPrograms } from './build/javascript.mjs'
import { ensureInstalled } from './lib/install.mjs'

/** @param {'release' | 'dist'} [profile] */
export async function buildAll(profile) {
  await ensureInstalled()
  await buildAddon(profile)
  await buildWithoutAddon()
  await buildPrograms()
}

/** Builds the contents of the root package, which are the same for every platform. */
export async function buildWithoutAddon() {
  await ensureInstalled()
  await buildLibrary()
  await buildDeclarations()
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({ options: { profile: { type: 'string', default: 'release' } } })
  if (values.profile !== 'release' && values.profile !== 'dist') {
    console.error(`--profile is release or dist, not ${values.profile}`)
    process.exit(2)
  }
  await buildAll(values.profile)
}
