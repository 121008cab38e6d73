import * as module from 'node:module'
import { dirname, join, resolve, toNamespacedPath } from 'node:path'
import { InternalError } from '../errors/index.ts'
import type { NativeAddon } from './addon.ts'
import { missingMessage, unloadableMessage } from './loader-messages.ts'
import { currentPlatform, type Platform, platformsHere } from './platform.ts'
import { requirePlatformPackage } from './platform-packages.ts'

// Written so that bundlers and tracers find the addon: docs/decisions/0064-load-the-addon-through-bundlers.md.

/** An addon and the file that it came from. */
interface Loaded {
  readonly addon: NativeAddon
  readonly file: string
}

let loaded: Loaded | undefined

/**
 * The addon of this process, loaded at the first call: importing the package must work without it.
 *
 * Looks for the file that `BAILIWICK_NATIVE_PATH` names and for nothing else, if it is set. Otherwise looks for the
 * platform package from this code, the bundle that it is in, and the program, and then for what `npm run build` made.
 * The first file that exists is loaded or is the reason of the error.
 *
 * @throws InternalError when there is none or it does not load; its message names the reason and the fix.
 */
export function loadAddon(): NativeAddon {
  loaded ??= findAddon()
  return loaded.addon
}

/** The file that the addon was loaded from, once it is loaded. */
export function addonFile(): string | undefined {
  return loaded?.file
}

function findAddon(): Loaded {
  const explicit = process.env['BAILIWICK_NATIVE_PATH']
  if (explicit !== undefined && explicit !== '') {
    const file = resolve(explicit)
    return load(
      file,
      () => dlopen(file),
      () => 'Correct or unset BAILIWICK_NATIVE_PATH.',
    )
  }
  const failures: unknown[] = []
  for (const origin of origins(failures)) {
    const found = findFor(origin, ({ packageName }) => packageName, failures)
    if (found === undefined) continue
    const advice = () => `Install ${currentPlatform().packageName} again on this machine.`
    return load(found.file, () => requirePlatformPackage(found.name, origin), advice)
  }
  const built = builtHere(failures)
  if (built !== undefined)
    return load(
      built,
      () => dlopen(built),
      () => 'Run npm run build.',
    )
  throw new InternalError(missingMessage(currentPlatform()), { cause: new AggregateError(failures) })
}

/** The files to look from for packages. pnpm puts the platform package within reach of `bailiwick` alone. */
function* origins(failures: unknown[]): Generator<string> {
  // A bundler may leave import.meta empty, or write the path of the building machine for its url.
  for (const origin of [import.meta.url, bundleFile(), process.argv[1]]) {
    if (origin === undefined) continue
    yield origin
    const manifest = find('bailiwick/package.json', origin, failures)
    if (manifest !== undefined) yield manifest
  }
}

/** The file of a CommonJS bundle. `typeof` would not do: webpack replaces it by "string" in ES modules too. */
function bundleFile(): string | undefined {
  try {
    return __filename
  } catch {
    return undefined
  }
}

/** Path of the addon built in a checkout. */
function builtHere(failures: unknown[]): string | undefined {
  const manifest = find('bailiwick/package.json', import.meta.url, failures)
  if (manifest === undefined) return undefined
  const specifierOf = ({ name, fileName }: Platform) => join(dirname(manifest), 'npm', name, fileName)
  return findFor(manifest, specifierOf, failures)?.file
}

/** Finds the addon for this process. Asks which C library it has only if there is one for each, as some package managers install. */
function findFor(
  origin: string,
  specifierOf: (platform: Platform) => string,
  failures: unknown[],
): { readonly name: string; readonly file: string } | undefined {
  const found = platformsHere().flatMap((platform) => {
    const file = find(specifierOf(platform), origin, failures)
    return file === undefined ? [] : [{ name: platform.name, file }]
  })
  if (found.length < 2) return found[0]
  const { name } = currentPlatform()
  return found.find((each) => each.name === name)
}

function find(specifier: string, origin: string, failures: unknown[]): string | undefined {
  try {
    return module.createRequire(origin).resolve(specifier)
  } catch (failure) {
    failures.push(failure)
    return undefined
  }
}

function load(file: string, read: () => unknown, advice: () => string): Loaded {
  try {
    return { addon: read() as NativeAddon, file }
  } catch (cause) {
    throw new InternalError(unloadableMessage(file, cause, advice()), { cause })
  }
}

/** Needs no module system: in a bundle or a single executable the file may lie anywhere. */
function dlopen(file: string): unknown {
  const loading = { exports: {} }
  process.dlopen(loading, toNamespacedPath(file))
  return loading.exports
}
