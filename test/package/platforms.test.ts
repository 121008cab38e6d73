import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { addonPath, platformName } from '../../scripts/lib/platform.mjs'
import { inRoot } from '../../scripts/lib/root.mjs'
import { targets } from '../../scripts/lib/targets.mjs'
import { addonProblems, glibcVersions } from '../../scripts/release/addon-file.mjs'
import { supportedPlatforms } from '../../ts/native/platform.ts'
import { addonFile, addonFor } from './addon-files.ts'

const root = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'))

describe('platform packages', () => {
  test('the loader knows the platforms that are built', () => {
    expect(
      targets()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(supportedPlatforms)
  })

  test.each(targets())('the manifest for $triple allows an install on that platform only', (target) => {
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
      files: [file, 'LICENSE-MIT', 'LICENSE-APACHE', 'THIRD-PARTY-LICENSES.txt'],
    })
    expect(description).toMatch(/^The native addon of bailiwick for (Linux|macOS|Windows) /)
  })
})

describe('the check of addon files', () => {
  test.each(targets())('a file for $triple fits that platform only', (target) => {
    const bytes = addonFor(target)
    const fitting = targets().filter((each) => addonProblems(bytes, each).length === 0)
    expect(fitting).toEqual([target])
  })

  test('symbols newer than the oldest glibc are refused', () => {
    const linux = { os: 'linux', cpu: 'x64', libc: 'glibc' }
    const problems = addonProblems(addonFile('linux', 62, ['GLIBC_2.17', 'GLIBC_2.34']), linux)
    expect(problems).toEqual(['needs glibc 2.34; 2.28 must do'])
  })

  test('variables that musl does not load are refused there alone', () => {
    const bytes = addonFile('linux', 62)
    // One program header, of the dynamic section, behind this one.
    const [header, section] = [bytes.length, bytes.length + 56]
    bytes.writeBigUInt64LE(BigInt(header), 32)
    bytes.writeUInt16LE(56, 54)
    bytes.writeUInt16LE(1, 56)
    const rest = Buffer.alloc(56 + 16)
    rest.writeUInt32LE(2, 0)
    rest.writeBigUInt64LE(BigInt(section), 8)
    rest.writeBigUInt64LE(16n, 32)
    rest.writeBigUInt64LE(30n, 56)
    rest.writeBigUInt64LE(0x18n, 64)
    const problems = (libc: string) => addonProblems(Buffer.concat([bytes, rest]), { os: 'linux', cpu: 'x64', libc })
    expect(problems('musl')).toEqual(['has static thread-local variables, which musl does not load'])
    rest.writeBigUInt64LE(0x08n, 64)
    expect(problems('musl')).toEqual([])
  })

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.alloc(200, 'text')],
  ])('%s is no addon anywhere', (_, bytes) => {
    for (const target of targets()) expect(addonProblems(bytes, target)).toHaveLength(1)
  })

  test('recognises the addon that was built here', () => {
    const target = targets().find(({ name }) => name === platformName())
    if (target === undefined) throw new Error('no package for this platform')
    const bytes = readFileSync(inRoot(addonPath))
    // A daily build links the machine's own glibc; what is published is checked before it is.
    expect(addonProblems(bytes, target).filter((problem) => !problem.startsWith('needs glibc'))).toEqual([])
    expect(glibcVersions(bytes).length > 0).toBe(target.libc === 'glibc')
  })
})
