import { mustRun } from '../lib/run.mjs'

/**
 * What each crate may depend on, of our own crates. The order is model ← store ← tenancy ← runtime ← node, and store
 * is open to tenancy alone: whoever reads or writes goes through a tenant's scope.
 *
 * @type {Record<string, readonly string[]>}
 */
const allowed = {
  'bailiwick-model': [],
  'bailiwick-store': ['bailiwick-model'],
  'bailiwick-tenancy': ['bailiwick-model', 'bailiwick-store'],
  'bailiwick-runtime': ['bailiwick-model', 'bailiwick-tenancy'],
  'bailiwick-node': ['bailiwick-model', 'bailiwick-tenancy', 'bailiwick-runtime'],
}

/**
 * @typedef {{ name: string, kind: string | null }} Dependency kind: null for an ordinary one, else dev or build
 * @typedef {{ name: string, dependencies: Dependency[] }} Crate
 */

/** Dependencies that point the wrong way. Tests of a crate may reach further than the crate. */
export async function crateProblems() {
  const metadata = ['metadata', '--no-deps', '--format-version', '1', '--locked']
  /** @type {{ packages: Crate[] }} */
  const { packages } = JSON.parse(await mustRun('cargo', metadata, { quiet: true }))
  return packages.flatMap(problemsOf)
}

/** @param {Crate} crate */
export function problemsOf({ name, dependencies }) {
  const permitted = allowed[name]
  if (permitted === undefined) return [`${name} has no rule in scripts/check/crates.mjs`]
  return dependencies.flatMap((dependency) => {
    if (dependency.kind !== null) return []
    if (dependency.name.startsWith('napi') && name !== 'bailiwick-node') return [`${name} may not depend on napi`]
    if (!dependency.name.startsWith('bailiwick-') || permitted.includes(dependency.name)) return []
    return [`${name} may not depend on ${dependency.name}`]
  })
}
