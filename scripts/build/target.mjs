import { copyFileSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { inRoot } from '../lib/root.mjs'
import { mustRun } from '../lib/run.mjs'
import { oldestGlibc, targets } from '../lib/targets.mjs'

/**
 * Builds the addon that is published for one target into its platform package, on any machine that can.
 *
 * Linux addons are linked by zig (`cargo zigbuild`), whatever machine this is: it links for musl, for the other
 * architecture and for an old glibc alike (docs/decisions/0030-platform-packages.md). macOS and Windows build their own.
 *
 * @param {string} triple one of package.json's `napi.targets`
 * @returns {Promise<string>} the addon's file
 */
export async function buildTarget(triple) {
  const target = targets().find((each) => each.triple === triple)
  if (target === undefined) throw new Error(`${triple} is none of the targets in package.json`)
  const { name, os, libc, library } = target
  const cargoTarget = libc === 'glibc' ? `${triple}.${oldestGlibc.join('.')}` : triple
  const what = ['--package', 'bailiwick-node', '--locked', '--profile', 'dist', '--target', cargoTarget]
  await mustRun('cargo', [os === 'linux' ? 'zigbuild' : 'build', ...what], { env: environment(triple) })
  const folder = process.env['CARGO_TARGET_DIR'] ?? inRoot('target')
  const addon = inRoot('npm', name, `bailiwick.${name}.node`)
  mkdirSync(inRoot('npm', name), { recursive: true })
  // A new file: what a running process has mapped must not be written over.
  rmSync(addon, { force: true })
  copyFileSync(join(folder, triple, 'dist', library), addon)
  return addon
}

/**
 * The same bytes wherever the sources and the crates lie, and no path of the building machine in what is published.
 *
 * @param {string} triple
 */
function environment(triple) {
  const cargoHome = process.env['CARGO_HOME'] ?? join(process.env['HOME'] ?? process.env['USERPROFILE'] ?? '', '.cargo')
  const flags = [`--remap-path-prefix=${inRoot()}=/bailiwick`, `--remap-path-prefix=${cargoHome}=/cargo`]
  // A static C library cannot be part of something that Node loads.
  if (triple.endsWith('musl')) flags.push('-Ctarget-feature=-crt-static')
  const maps = [`-ffile-prefix-map=${inRoot()}=/bailiwick`, `-ffile-prefix-map=${cargoHome}=/cargo`]
  const compiler = triple.endsWith('msvc') ? {} : { CFLAGS: maps.join(' ') }
  // C says when it was compiled; compilers that know this variable say this instead.
  return { CARGO_ENCODED_RUSTFLAGS: flags.join('\x1f'), SOURCE_DATE_EPOCH: '315532800', ...compiler }
}
