import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { isolationSuite } from '../../ts/isolation/index.ts'
import { openWith } from '../../ts/runtime/store.ts'
import { engines, noon } from '../support/stores.ts'

describe.each(engines)('the isolation suite on %s', async (engine) => {
  const folder = mkdtempSync(join(tmpdir(), 'bailiwick-'))
  const url = engine === 'memory' ? 'memory:' : `sled:${join(folder, 'store')}`
  const store = await openWith(url, {}, { now: noon })
  const { cells } = isolationSuite({ store, emptyStore: true, advance: (milliseconds) => store.advance(milliseconds) })
  afterAll(async () => {
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  })

  it.each(cells.map((cell) => [cell.name, cell] as const))('%s', (_, { run }) => run())

  it('B12: no tenant is left, and no two cells have one name', async () => {
    expect((await store.check()).tenants).toBe(0)
    expect(new Set(cells.map(({ name }) => name)).size).toBe(cells.length)
  })
})
