import { type Platform, supportedPlatforms } from './platform.ts'

/** The message for an addon that is there and does not load, with the reason of the runtime. */
export function unloadableMessage(file: string, cause: unknown, advice: string): string {
  const { code, name, message } = Object(cause) as Partial<Record<'code' | 'name' | 'message', unknown>>
  const reason = String(message ?? cause).trim()
  const end = /[.!?]$/.test(reason) ? '' : '.'
  return `The native addon ${file} could not be loaded on ${runtime()}: ${reason}${end} ${permission(code, name) ?? advice}`
}

/** Deno and Bun call themselves Node in most places. */
function runtime(): string {
  const { deno, bun } = process.versions as Partial<Record<'deno' | 'bun', string>>
  if (deno !== undefined) return `Deno ${deno}`
  return bun === undefined ? `Node ${process.version}` : `Bun ${bun}`
}

/** What to permit, where a runtime refused the addon by its own rules: installing again would not help. */
function permission(code: unknown, name: unknown): string | undefined {
  if (code === 'ERR_DLOPEN_DISABLED') {
    return 'Start Node with --allow-addons if it has the permission model on, and without --no-addons.'
  }
  if (name === 'NotCapable') return 'Start Deno with --allow-ffi.'
  return undefined
}

/** The message where no platform package is found. */
export function missingMessage({ name, packageName }: Platform): string {
  if (!supportedPlatforms.includes(name)) {
    return (
      `bailiwick has no package ${packageName}: this platform is not supported. Run it on one of ` +
      `${supportedPlatforms.join(', ')}, or build the addon from source and name it in BAILIWICK_NATIVE_PATH.`
    )
  }
  return (
    `bailiwick needs the package ${packageName}, which is not installed where it is looked for. ` +
    'Install again on the machine that will run it, without --omit=optional or --no-optional; ' +
    'delete node_modules and a lock file written on another platform first. ' +
    'Where bailiwick is bundled, leave it out of the bundle (as "external"; in Next.js: serverExternalPackages: ' +
    "['bailiwick']), install the package beside the bundle, or name its .node file in BAILIWICK_NATIVE_PATH."
  )
}
