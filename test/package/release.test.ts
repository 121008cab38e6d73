import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { inRoot } from '../../scripts/lib/root.mjs'
import { targets } from '../../scripts/lib/targets.mjs'
import { hashOf, mostInstalledBytes, readPackages, releaseProblems } from '../../scripts/release/packages.mjs'
import { addonFor } from './addon-files.ts'

const version = '1.2.3'
const names = targets().map(({ name }) => `@bailiwick/${name}`)
const repository = { type: 'git', url: 'git+https://git.example/bailiwick.git' }
const origin = { repository, homepage: 'https://git.example/bailiwick', bugs: 'https://git.example/bailiwick/issues' }
let folder: string
let changelog: string

beforeEach(() => {
  changelog = `# Changelog\n\n## [${version}] - 2026-12-01\n`
  folder = mkdtempSync(join(tmpdir(), 'bailiwick-gate-'))
  const optionalDependencies = Object.fromEntries(names.map((name) => [name, version]))
  pack({ name: 'bailiwick', version, optionalDependencies, ...origin })
  for (const target of targets()) pack({ name: `@bailiwick/${target.name}`, version, repository }, addonFor(target))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function pack(manifest: { name: string; version: string; [field: string]: unknown }, addon?: Buffer): void {
  const contents = join(folder, 'contents', 'package')
  mkdirSync(contents, { recursive: true })
  writeFileSync(join(contents, 'package.json'), JSON.stringify(manifest))
  if (addon !== undefined) writeFileSync(join(contents, 'bailiwick.node'), addon)
  else writeFileSync(join(contents, 'CHANGELOG.md'), changelog)
  execFileSync('tar', ['-czf', tarball(manifest.name), '-C', join(folder, 'contents'), 'package'])
  rmSync(join(folder, 'contents'), { recursive: true })
}

function tarball(name: string): string {
  return join(folder, `${name.replace('@', '').replace('/', '-')}.tgz`)
}

function problems(): string[] {
  return releaseProblems(readPackages(folder), version)
}

describe('the gate before publishing', () => {
  test('lets a complete release through, the root last', () => {
    expect(problems()).toEqual([])
    expect(readPackages(folder).at(-1)?.manifest.name).toBe('bailiwick')
  })

  test.each(['bailiwick', ...names])('refuses a release without %s', (name) => {
    rmSync(tarball(name))
    expect(problems()).toContain(`${name} is there 0 times`)
  })

  test('refuses a stranger, another version, an install script and a root that asks for less', () => {
    pack({ name: '@bailiwick/plan9-x64', version, repository })
    pack({
      name: 'bailiwick',
      version: '1.2.4',
      scripts: { postinstall: 'node x' },
      optionalDependencies: {},
      ...origin,
    })
    expect(problems()).toEqual([
      '@bailiwick/plan9-x64 is none of our packages',
      'bailiwick is at 1.2.4, not 1.2.3',
      'bailiwick has the script postinstall',
      'bailiwick does not ask for every platform at exactly 1.2.3',
    ])
  })

  test('refuses a platform package without an addon, with that of another, and one that is too large', () => {
    const [first, second, third] = targets()
    if (first === undefined || second === undefined || third === undefined) throw new Error('too few targets')
    pack({ name: `@bailiwick/${first.name}`, version, repository })
    pack({ name: `@bailiwick/${second.name}`, version, repository }, addonFor(third))
    pack(
      { name: `@bailiwick/${third.name}`, version, repository },
      Buffer.concat([addonFor(third), Buffer.alloc(mostInstalledBytes)]),
    )
    expect(problems().sort()).toEqual([
      `@bailiwick/${first.name} holds no addon`,
      expect.stringMatching(`^@bailiwick/${third.name} takes 10\\d{6} bytes with the root; 10000000 are allowed$`),
      expect.stringMatching(`^@bailiwick/${second.name} is `),
    ])
  })

  test('refuses a root without its origin, and a platform package with another one', () => {
    const optionalDependencies = Object.fromEntries(names.map((name) => [name, version]))
    pack({ name: 'bailiwick', version, optionalDependencies, repository })
    const [first] = targets()
    if (first === undefined) throw new Error('too few targets')
    pack({ name: `@bailiwick/${first.name}`, version }, addonFor(first))
    expect(problems().sort()).toEqual([
      `@bailiwick/${first.name} names another repository than the root package`,
      'bailiwick lacks homepage, bugs: pack with --repository <where the sources are public>',
    ])
  })

  test('refuses a root whose changelog does not have the version', () => {
    changelog = '# Changelog\n\n## [Unreleased]\n\n## [1.2.2]\n'
    const optionalDependencies = Object.fromEntries(names.map((name) => [name, version]))
    pack({ name: 'bailiwick', version, optionalDependencies, ...origin })
    expect(problems()).toEqual(['bailiwick has no section of 1.2.3 in its changelog'])
  })

  test('refuses each addon that is not the one that was built, and one of which nothing is known', () => {
    const built = Object.fromEntries(targets().map((target) => [target.name, hashOf(addonFor(target))]))
    expect(releaseProblems(readPackages(folder), version, built)).toEqual([])
    for (const target of targets()) {
      const name = `@bailiwick/${target.name}`
      const { [target.name]: hash, ...others } = built
      const unknown = releaseProblems(readPackages(folder), version, others)
      expect(unknown).toEqual([`${name} holds another addon than was built: ${hash}, not one whose hash is known`])
      const changed = Buffer.concat([addonFor(target), Buffer.of(0)])
      pack({ name, version, repository }, changed)
      const found = releaseProblems(readPackages(folder), version, built)
      expect(found).toEqual([`${name} holds another addon than was built: ${hashOf(changed)}, not ${hash}`])
      pack({ name, version, repository }, addonFor(target))
    }
  })

  test('the command publishes nothing without the hashes of the builds, and nothing that has others', () => {
    const parameters = [inRoot('scripts', 'release.mjs'), 'publish', folder, '--version', version]
    const attempt = (...more: string[]) =>
      execFileSync(process.execPath, [...parameters, ...more, '--', '--registry=http://127.0.0.1:9'], { stdio: 'pipe' })
    expect(() => attempt()).toThrow(expect.objectContaining({ status: 2 }))
    expect(() => attempt('--addons', '{}')).toThrow(/linux-x64-gnu holds another addon than was built/)
  })

  test('the command publishes nothing when a package is missing', () => {
    rmSync(tarball('@bailiwick/linux-x64-musl'))
    const addons = Object.fromEntries(targets().map((target) => [target.name, hashOf(addonFor(target))]))
    const hashes = ['--addons', JSON.stringify(addons)]
    const parameters = [inRoot('scripts', 'release.mjs'), 'publish', folder, '--version', version, ...hashes]
    // Whatever reached a registry here would find nobody listening.
    const attempt = () =>
      execFileSync(process.execPath, [...parameters, '--', '--registry=http://127.0.0.1:9'], { stdio: 'pipe' })
    expect(attempt).toThrow(expect.objectContaining({ status: 1, stderr: expect.anything() }))
    expect(attempt).toThrow(/linux-x64-musl is there 0 times/)
  })
})
