import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { isolationSuite } from '../../ts/isolation/index.ts'
import { openWith } from '../../ts/store/store.ts'
import { dropDatabase, makeDatabase } from '../support/databases.ts'
import { type EngineName, engines, noon } from '../support/stores.ts'

/** A store for all cells of an engine, and what removes it. */
async function home(engine: EngineName): Promise<{ url: string; remove: () => unknown }> {
  if (engine === 'memory') return { url: 'memory:', remove: () => {} }
  if (engine === 'postgres') {
    const database = await makeDatabase()
    return { url: database.url, remove: () => dropDatabase(database) }
  }
  const folder = mkdtempSync(join(tmpdir(), 'bailiwick-'))
  return { url: `sled:${join(folder, 'store')}`, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

describe.each(engines)('the isolation suite on %s', async (engine) => {
  const { url, remove } = await home(engine)
  const store = await openWith(url, { rootKey: new Uint8Array(32).fill(7) }, { now: noon })
  const { cells } = isolationSuite({ store, emptyStore: true, advance: (milliseconds) => store.advance(milliseconds) })
  afterAll(async () => {
    await store.close()
    await remove()
  })

  it.each(cells.map((cell) => [cell.name, cell] as const))('%s', (_, { run }) => run())

  it('no tenant is left, and no two cells have one name', async () => {
    expect((await store.check()).tenants).toBe(0)
    expect(new Set(cells.map(({ name }) => name)).size).toBe(cells.length)
  })
})
