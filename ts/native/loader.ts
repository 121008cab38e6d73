import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { InternalError } from '../errors/index.ts'
import type { NativeAddon } from './addon.ts'
import { currentPlatform, type Platform, supportedPlatforms } from './platform.ts'

/** An addon and the file that it came from. */
interface Loaded {
  readonly addon: NativeAddon
  readonly file: string
}

let loaded: Loaded | undefined

/**
 * The addon of this process, loaded at the first call: importing the package must work without it.
 *
 * Looked for in this order: the file that `BAILIWICK_NATIVE_PATH` names (nothing else is tried then), the platform
 * package, and, in a checkout of this repository, what `npm run build` made.
 *
 * @throws InternalError when there is none or it does not load; its message names the package and the fix.
 */
export function loadAddon(): NativeAddon {
  loaded ??= findAddon(currentPlatform())
  return loaded.addon
}

/** The file that the addon was loaded from, once it is loaded. */
export function addonFile(): string | undefined {
  return loaded?.file
}

function findAddon(platform: Platform): Loaded {
  const explicit = process.env['BAILIWICK_NATIVE_PATH']
  if (explicit !== undefined && explicit !== '') {
    return load(explicit, 'Correct or unset BAILIWICK_NATIVE_PATH.')
  }
  const file = resolve(platform.packageName) ?? builtHere(platform)
  if (file === undefined) throw new InternalError(missingMessage(platform))
  return load(file, `Reinstall ${platform.packageName}.`)
}

/**
 * Looks for packages from where this code is. Not made when this is imported: a bundler that writes CommonJS leaves
 * `import.meta` empty, and there `__filename` says where that is. Where neither does, the program's own folder has to do.
 */
function ownRequire(): NodeJS.Require {
  const here: string | undefined = import.meta.url
  const bundle = typeof __filename === 'string' ? __filename : join(process.cwd(), 'index.js')
  return createRequire(here ?? bundle)
}

function load(file: string, advice: string): Loaded {
  try {
    const require = ownRequire()
    return { addon: require(file) as NativeAddon, file: require.resolve(file) }
  } catch (cause) {
    throw new InternalError(`The native addon could not be loaded on Node ${process.version}. ${advice}`, { cause })
  }
}

/** Path of the addon built in a checkout. */
function builtHere(platform: Platform): string | undefined {
  const manifest = resolve('bailiwick/package.json')
  return manifest && resolve(join(dirname(manifest), 'npm', platform.name, platform.fileName))
}

function resolve(specifier: string): string | undefined {
  try {
    return ownRequire().resolve(specifier)
  } catch {
    return undefined
  }
}

function missingMessage({ name, packageName }: Platform): string {
  if (!supportedPlatforms.includes(name)) {
    return (
      `bailiwick has no package ${packageName}: this platform is not supported. Run it on one of ` +
      `${supportedPlatforms.join(', ')}, or build the addon from source and name it in BAILIWICK_NATIVE_PATH.`
    )
  }
  return (
    `bailiwick needs the package ${packageName}, which is not installed. ` +
    'Install again on the machine that will run it, without --omit=optional or --no-optional; ' +
    'delete node_modules and a lock file written on another platform first. ' +
    'Where bailiwick is bundled, leave it out of the bundle (as "external"), or install the package beside the bundle.'
  )
}
