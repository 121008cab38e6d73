/**
 * What the addon exports: the TypeScript side of `crates/node`, written by hand and kept equal to it.
 *
 * Nothing but `loadAddon` makes one, and nothing outside `ts/native` may hold one.
 */
export interface NativeAddon {
  /** The addon's version, which is the package's. */
  version(): string
}
