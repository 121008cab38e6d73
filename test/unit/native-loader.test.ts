import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { platformName } from '../../scripts/lib/platform.mjs'
import { currentPlatform, platformsHere, supportedPlatforms } from '../../ts/native/platform.ts'
import { requirePlatformPackage } from '../../ts/native/platform-packages.ts'

/** A loader that has loaded nothing yet. */
async function freshLoader() {
  vi.resetModules()
  return await import('../../ts/native/loader.ts')
}

describe('the loader', () => {
  beforeEach(() => vi.stubEnv('BAILIWICK_NATIVE_PATH', undefined))
  afterEach(() => {
    vi.unstubAllEnvs()
    vi.restoreAllMocks()
  })

  test('loads the addon of this platform, once', async () => {
    const { loadAddon } = await freshLoader()
    expect(loadAddon()).toBe(loadAddon())
  })

  test('loads it without the process report, for which Deno asks permission', async () => {
    const getReport = vi.spyOn(process.report, 'getReport')
    const { loadAddon } = await freshLoader()
    loadAddon()
    expect(getReport).not.toHaveBeenCalled()
  })

  test('names the platform as the build does', () => {
    expect(currentPlatform().name).toBe(platformName())
  })

  test('an explicit path that does not load is an error with advice', async () => {
    vi.stubEnv('BAILIWICK_NATIVE_PATH', '/nowhere/bailiwick.node')
    const { loadAddon } = await freshLoader()
    expect(loadAddon).toThrow(expect.objectContaining({ code: 'INTERNAL' }))
    expect(loadAddon).toThrow(/unset BAILIWICK_NATIVE_PATH/)
  })

  test.each(supportedPlatforms)('without its package, %s gets an error that names it and the fix', async (name) => {
    // No file of a checkout must stand in for the package.
    const missing = { ...currentPlatform(), name, packageName: `@bailiwick/${name}`, fileName: 'absent.node' }
    const mocked = { currentPlatform: () => missing, platformsHere: () => [missing], supportedPlatforms }
    vi.doMock('../../ts/native/platform.ts', () => mocked)
    const { loadAddon } = await freshLoader()
    expect(loadAddon).toThrow(expect.objectContaining({ code: 'INTERNAL' }))
    expect(loadAddon).toThrow(new RegExp(`needs the package @bailiwick/${name}, .* --omit=optional`, 's'))
    vi.doUnmock('../../ts/native/platform.ts')
  })

  test.each(supportedPlatforms)('the package of %s is required by its name', (name) => {
    expect(() => requirePlatformPackage(name, import.meta.url)).toThrow(`Cannot find module '@bailiwick/${name}'`)
  })

  test('looks for the packages of both C libraries on Linux, and elsewhere for one', () => {
    const platform = vi.spyOn(process, 'platform', 'get').mockReturnValue('linux')
    const names = () => platformsHere().map(({ name }) => name.replace(process.arch, 'x64'))
    expect(names()).toEqual(['linux-x64-gnu', 'linux-x64-musl'])
    platform.mockReturnValue('darwin')
    expect(names()).toEqual(['darwin-x64'])
    platform.mockReturnValue('win32')
    expect(names()).toEqual(['win32-x64-msvc'])
  })

  test('takes a Linux whose report must not be read for one with glibc', () => {
    vi.spyOn(process, 'platform', 'get').mockReturnValue('linux')
    vi.spyOn(process.report, 'getReport').mockImplementation(() => {
      throw new Error('Requires sys access')
    })
    expect(currentPlatform().name).toBe(`linux-${process.arch}-gnu`)
  })

  test('a platform that has no package is an error that names those that have one', async () => {
    vi.spyOn(process, 'platform', 'get').mockReturnValue('sunos')
    const { loadAddon } = await freshLoader()
    expect(loadAddon).toThrow(expect.objectContaining({ code: 'INTERNAL' }))
    expect(loadAddon).toThrow(/no package @bailiwick\/sunos-.* linux-x64-gnu.* BAILIWICK_NATIVE_PATH/s)
  })

  test.each([
    ['linux', 'x64', true, 'linux-x64-gnu'],
    ['linux', 'x64', false, 'linux-x64-musl'],
    ['linux', 'arm64', true, 'linux-arm64-gnu'],
    ['linux', 'arm64', false, 'linux-arm64-musl'],
    ['darwin', 'x64', false, 'darwin-x64'],
    ['darwin', 'arm64', false, 'darwin-arm64'],
    ['win32', 'x64', false, 'win32-x64-msvc'],
    ['win32', 'arm64', false, 'win32-arm64-msvc'],
  ])('on %s %s (glibc: %s) it is %s', (platform, arch, glibc, name) => {
    expect(currentPlatform({ platform, arch, usesGlibc: () => glibc })).toEqual({
      name,
      packageName: `@bailiwick/${name}`,
      fileName: `bailiwick.${name}.node`,
    })
    expect(supportedPlatforms).toContain(name)
  })
})
