import * as nodeModule from 'node:module'

/** A class, because the build keeps the names of classes: @vercel/nft recognises `module.createRequire` by this name alone. */
// biome-ignore lint/complexity/noStaticOnlyClass: see above
class module {
  static createRequire(origin: string): NodeJS.Require {
    return nodeModule.createRequire(origin)
  }
}

/**
 * Loads the addon of an installed platform package, as seen from a file.
 *
 * Tracers list what a literal call of `require` names. @vercel/nft needs a `require` that is declared by
 * `module.createRequire`. Turbopack needs one from the module of Node, with `import.meta.url` as the argument; if it sees
 * no other, it bundles the package instead of leaving it alone, and fails.
 */
export function requirePlatformPackage(name: string, origin: string): unknown {
  let require = module.createRequire(origin)
  if (origin === import.meta.url) require = nodeModule.createRequire(import.meta.url)
  switch (name) {
    case 'darwin-arm64':
      return require('@bailiwick/darwin-arm64')
    case 'darwin-x64':
      return require('@bailiwick/darwin-x64')
    case 'linux-arm64-gnu':
      return require('@bailiwick/linux-arm64-gnu')
    case 'linux-arm64-musl':
      return require('@bailiwick/linux-arm64-musl')
    case 'linux-x64-gnu':
      return require('@bailiwick/linux-x64-gnu')
    case 'linux-x64-musl':
      return require('@bailiwick/linux-x64-musl')
    case 'win32-arm64-msvc':
      return require('@bailiwick/win32-arm64-msvc')
    case 'win32-x64-msvc':
      return require('@bailiwick/win32-x64-msvc')
  }
  throw new RangeError(`no package for ${name}`)
}
