import process from 'node:process'

/**
 * The name of this machine's platform package, `<os>-<cpu>[-<abi>]`, as `napi build --platform` writes it into file names.
 * ts/native/platform.ts finds the same name at run time.
 */
export function platformName() {
  const { platform, arch } = process
  if (platform === 'linux') return `linux-${arch}-${usesGlibc() ? 'gnu' : 'musl'}`
  return platform === 'win32' ? `win32-${arch}-msvc` : `${platform}-${arch}`
}

function usesGlibc() {
  const report = /** @type {{ header: Record<string, unknown> }} */ (process.report.getReport())
  return report.header['glibcVersionRuntime'] !== undefined
}

/** The addon's file name on this machine. */
export const addonFile = `bailiwick.${platformName()}.node`
/** Where the release build of the addon lies: inside the package that carries it to users. */
export const addonPath = `npm/${platformName()}/${addonFile}`
/** The addon whose named exports can be made to panic. Tests load it through BAILIWICK_NATIVE_PATH. */
export const faultsAddonPath = `build/faults/${addonFile}`
