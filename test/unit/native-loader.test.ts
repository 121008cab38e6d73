import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { platformName } from '../../scripts/lib/platform.mjs'
import { currentPlatform } from '../../ts/native/platform.ts'

/** A loader that has loaded nothing yet. */
async function freshLoader() {
  vi.resetModules()
  return await import('../../ts/native/loader.ts')
}

describe('M15: the loader', () => {
  beforeEach(() => vi.stubEnv('BAILIWICK_NATIVE_PATH', undefined))
  afterEach(() => {
    vi.unstubAllEnvs()
    vi.restoreAllMocks()
  })

  test('M15: loads the addon of this platform, once', async () => {
    const { loadAddon } = await freshLoader()
    expect(loadAddon()).toBe(loadAddon())
  })

  test('M15: names the platform as the build does', () => {
    expect(currentPlatform().name).toBe(platformName())
  })

  test('M15: an explicit path that does not load is an error that says how to go on', async () => {
    vi.stubEnv('BAILIWICK_NATIVE_PATH', '/nowhere/bailiwick.node')
    const { loadAddon } = await freshLoader()
    expect(loadAddon).toThrow(expect.objectContaining({ code: 'INTERNAL' }))
    expect(loadAddon).toThrow(/unset BAILIWICK_NATIVE_PATH/)
  })

  test('M15: a platform without a package is an error that names the package and the fix', async () => {
    vi.spyOn(process, 'platform', 'get').mockReturnValue('sunos')
    const { loadAddon } = await freshLoader()
    expect(loadAddon).toThrow(expect.objectContaining({ code: 'INTERNAL' }))
    expect(loadAddon).toThrow(/@bailiwick\/sunos-.* --omit=optional/s)
  })
})
