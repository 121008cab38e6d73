import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { addonPath, platformName } from '../../scripts/lib/platform.mjs'
import { inRoot } from '../../scripts/lib/root.mjs'
import { targets } from '../../scripts/lib/targets.mjs'
import { addonProblems, glibcVersions } from '../../scripts/release/addon-file.mjs'
import { supportedPlatforms } from '../../ts/native/platform.ts'

const root = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'))

describe('M15: platform packages', () => {
  test('M15: the loader knows the platforms that are built', () => {
    expect(
      targets()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(supportedPlatforms)
  })

  test.each(targets())('M15: the manifest for $triple lets npm install it there and nowhere else', (target) => {
    const { name, os, cpu, libc } = target
    const { description, ...manifest } = JSON.parse(readFileSync(inRoot('npm', name, 'package.json'), 'utf8'))
    const file = `bailiwick.${name}.node`
    expect(manifest).toEqual({
      name: `@bailiwick/${name}`,
      version: root.version,
      license: root.license,
      engines: root.engines,
      os: [os],
      cpu: [cpu],
      ...(libc && { libc: [libc] }),
      main: file,
      files: [file, 'LICENSE-MIT', 'LICENSE-APACHE'],
    })
    expect(description).toMatch(/^The native addon of bailiwick for (Linux|macOS|Windows) /)
  })
})

/** The first bytes of an addon, and the symbol versions that it asks for. */
function fileFor(os: string, machine: number, symbols: readonly string[] = []): Buffer {
  const bytes = Buffer.alloc(128)
  if (os === 'linux') {
    bytes.write('\x7fELF', 'latin1')
    bytes.writeUInt16LE(machine, 18)
  } else if (os === 'darwin') {
    bytes.writeUInt32LE(0xfeed_facf)
    bytes.writeUInt32LE(machine, 4)
  } else {
    bytes.write('MZ', 'latin1')
    bytes.writeUInt32LE(64, 0x3c)
    bytes.write('PE', 64, 'latin1')
    bytes.writeUInt16LE(machine, 68)
  }
  return Buffer.concat([bytes, Buffer.from(symbols.map((symbol) => `\0${symbol}\0`).join(''))])
}

describe('M15: the check of addon files', () => {
  const good = [
    ['linux', 'x64', 'glibc', fileFor('linux', 62, ['GLIBC_2.2.5', 'GLIBC_2.28'])],
    ['linux', 'arm64', 'glibc', fileFor('linux', 183, ['GLIBC_2.17'])],
    ['linux', 'x64', 'musl', fileFor('linux', 62)],
    ['linux', 'arm64', 'musl', fileFor('linux', 183)],
    ['darwin', 'x64', undefined, fileFor('darwin', 0x0100_0007)],
    ['darwin', 'arm64', undefined, fileFor('darwin', 0x0100_000c)],
    ['win32', 'x64', undefined, fileFor('win32', 0x8664)],
    ['win32', 'arm64', undefined, fileFor('win32', 0xaa64)],
  ] as const

  test.each(good)('M15: a file for %s %s %s fits there and nowhere else', (os, cpu, libc, bytes) => {
    const fitting = targets().filter((target) => addonProblems(bytes, target).length === 0)
    expect(fitting.map((target) => [target.os, target.cpu, target.libc])).toEqual([[os, cpu, libc]])
  })

  test('M15: symbols newer than the oldest glibc are refused', () => {
    const linux = { os: 'linux', cpu: 'x64', libc: 'glibc' }
    const problems = addonProblems(fileFor('linux', 62, ['GLIBC_2.17', 'GLIBC_2.34']), linux)
    expect(problems).toEqual(['needs glibc 2.34; 2.28 must do'])
  })

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.alloc(200, 'text')],
  ])('M15: %s is no addon anywhere', (_, bytes) => {
    for (const target of targets()) expect(addonProblems(bytes, target)).toHaveLength(1)
  })

  test('M15: reads what was built here as what it is', () => {
    const target = targets().find(({ name }) => name === platformName())
    if (target === undefined) throw new Error('no package for this platform')
    const bytes = readFileSync(inRoot(addonPath))
    // A daily build links the machine's own glibc; what is published is checked before it is.
    expect(addonProblems(bytes, target).filter((problem) => !problem.startsWith('needs glibc'))).toEqual([])
    expect(glibcVersions(bytes).length > 0).toBe(target.libc === 'glibc')
  })
})
