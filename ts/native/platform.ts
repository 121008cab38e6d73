import { processReport } from './process-report.ts'

/** Name of the prebuilt addon that fits a process. */
export interface Platform {
  /** `linux-x64-gnu`, `darwin-arm64`, …: the last part of the package's name. */
  readonly name: string
  /** The npm package that carries the addon. */
  readonly packageName: string
  /** The addon's file name inside that package. */
  readonly fileName: string
}

/** Properties that decide which addon fits; the C library matters on Linux only. */
export interface System {
  readonly platform: string
  readonly arch: string
  readonly usesGlibc: () => boolean
}

/** Every platform that a package is published for. package.json lists the same ones as targets of the compiler. */
export const supportedPlatforms: readonly string[] = [
  'darwin-arm64',
  'darwin-x64',
  'linux-arm64-gnu',
  'linux-arm64-musl',
  'linux-x64-gnu',
  'linux-x64-musl',
  'win32-arm64-msvc',
  'win32-x64-msvc',
]

/** Names the platform package for this process, or for another system; whether it is installed, only loading it tells. */
export function currentPlatform(
  system: System = { platform: process.platform, arch: process.arch, usesGlibc },
): Platform {
  const name = [system.platform, system.arch, abi(system)].filter((part) => part !== undefined).join('-')
  return { name, packageName: `@bailiwick/${name}`, fileName: `bailiwick.${name}.node` }
}

/** Names the packages that may fit this process without asking for the C library: two on Linux, elsewhere one. */
export function platformsHere(): readonly Platform[] {
  const { platform, arch } = process
  const libraries = platform === 'linux' ? [true, false] : [false]
  return libraries.map((glibc) => currentPlatform({ platform, arch, usesGlibc: () => glibc }))
}

function abi(system: System): string | undefined {
  if (system.platform === 'win32') return 'msvc'
  if (system.platform !== 'linux') return undefined
  return system.usesGlibc() ? 'gnu' : 'musl'
}

/**
 * glibc tells its version in Node's diagnostic report; musl has none to tell. Deno reads the report with `--allow-sys`
 * only: without it, what Deno itself is published for is assumed.
 */
function usesGlibc(): boolean {
  try {
    return processReport().header.glibcVersionRuntime !== undefined
  } catch {
    return true
  }
}
