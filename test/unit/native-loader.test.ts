import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { platformName } from '../../scripts/lib/platform.mjs'
import { currentPlatform, supportedPlatforms } from '../../ts/native/platform.ts'

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
    vi.doMock('../../ts/native/platform.ts', () => ({ currentPlatform: () => missing, supportedPlatforms }))
    const { loadAddon } = await freshLoader()
    expect(loadAddon).toThrow(expect.objectContaining({ code: 'INTERNAL' }))
    expect(loadAddon).toThrow(new RegExp(`needs the package @bailiwick/${name}, .* --omit=optional`, 's'))
    vi.doUnmock('../../ts/native/platform.ts')
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
