import { copyFileSync, mkdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { unlessUnchanged } from '../lib/inputs.mjs'
import { addonPath, faultsAddonPath } from '../lib/platform.mjs'
import { inRoot } from '../lib/root.mjs'
import { mustRun } from '../lib/run.mjs'

const inputs = ['crates', 'Cargo.toml', 'Cargo.lock', 'build.rs', '.cargo']

/**
 * Builds the addon of this machine into its platform package. It needs the machine's own C library; those that are published
 * come from target.mjs.
 *
 * @param {'release' | 'dist'} [profile] dist is as small as what is published, and slower to build
 */
export function buildAddon(profile = 'release') {
  return profile === 'dist' ? buildForPublishing() : build('addon', addonPath, profile, [])
}

/** By the napi command, which can also cross-compile. The loader and the types are ours, so it writes neither. */
function buildForPublishing() {
  return unlessUnchanged('addon', { inputs, outputs: [addonPath], variant: 'dist' }, async () => {
    const napi = inRoot('node_modules', '@napi-rs', 'cli', 'dist', 'cli.js')
    const output = ['--output-dir', dirname(addonPath), '--no-js', '--dts', join('..', '..', 'build', 'addon.d.ts')]
    const what = ['--package', 'bailiwick-node', '--profile', 'dist', '--platform', '--strip']
    await mustRun(process.execPath, [napi, 'build', ...what, ...output, '--', '--locked'])
  })
}

/** Builds the addon with the test-only exports that make a named export panic. */
export function buildFaultsAddon() {
  return build('addon-with-faults', faultsAddonPath, 'release', ['bailiwick-node/faults'])
}

/**
 * For daily work cargo alone: `napi build` passes `--target`, which compiles every dependency a second time
 * (docs/decisions/0001-build-the-addon-with-cargo.md).
 *
 * The whole workspace with the feature that its tests need: then `cargo test` finds its crates compiled.
 *
 * @param {string} name
 * @param {string} output
 * @param {string} profile
 * @param {string[]} more features
 */
function build(name, output, profile, more) {
  const features = ['bailiwick-store/conformance', ...more].join(',')
  const variant = `${profile} ${features}`
  return unlessUnchanged(name, { inputs, outputs: [output], variant }, async () => {
    const target = process.env['CARGO_TARGET_DIR'] ?? inRoot('target')
    const linked = join(target, profile, libraryName())
    // Cargo names the library alike whatever its features, and takes the file for up to date after a build with other
    // features wrote it. Without the file it links again.
    rmSync(join(target, profile, 'deps', libraryName()), { force: true })
    rmSync(linked, { force: true })
    await mustRun('cargo', ['build', '--workspace', '--locked', '--profile', profile, '--features', features])
    mkdirSync(dirname(inRoot(output)), { recursive: true })
    // A new file: what a running process has mapped must not be written over.
    rmSync(inRoot(output), { force: true })
    copyFileSync(linked, inRoot(output))
  })
}

/** What the linker calls a library named bailiwick on this system. */
function libraryName() {
  if (process.platform === 'win32') return 'bailiwick.dll'
  return process.platform === 'darwin' ? 'libbailiwick.dylib' : 'libbailiwick.so'
}
