import process from 'node:process'

/** Which prebuilt addon fits this process. */
export interface Platform {
  /** `linux-x64-gnu`, `darwin-arm64`, …: the last part of the package's name. */
  readonly name: string
  /** The npm package that carries the addon. */
  readonly packageName: string
  /** The addon's file name inside that package. */
  readonly fileName: string
}

/** Names the platform package for this process; whether it exists, only loading it tells. */
export function currentPlatform(): Platform {
  const name = [process.platform, process.arch, abi()].filter((part) => part !== undefined).join('-')
  return { name, packageName: `@bailiwick/${name}`, fileName: `bailiwick.${name}.node` }
}

function abi(): string | undefined {
  if (process.platform === 'win32') return 'msvc'
  if (process.platform !== 'linux') return undefined
  return usesGlibc() ? 'gnu' : 'musl'
}

/** glibc tells its version in Node's diagnostic report; musl has none to tell. Takes about 6 ms. */
function usesGlibc(): boolean {
  const report: { excludeNetwork?: boolean; getReport(): object } = process.report
  const before = report.excludeNetwork
  // Without this the report resolves the names of all open sockets, which can take seconds.
  report.excludeNetwork = true
  const { header } = report.getReport() as { header: { glibcVersionRuntime?: string } }
  report.excludeNetwork = before ?? false
  return header.glibcVersionRuntime !== undefined
}
