import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { describe, expect, it } from 'vitest'
import { openStore } from '../../ts/index.ts'
import { startProgram } from '../support/programs.ts'
import { durableEngines, freshFolder, freshUrl, runtimeFor } from '../support/stores.ts'
import { contentOf } from './content.ts'

const KILLS = process.env['BAILIWICK_LONG'] === '1' ? 500 : 20
const MOST_ACKNOWLEDGED = 60

/** What was acknowledged: index and id, in lines that were written whole. */
function acknowledgedIn(file: string): { index: number; id: string }[] {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split(' '))
    .map(([index, id]) => ({ index: Number(index), id: id as string }))
}

describe.each(durableEngines)('a killed process on %s', (engine) => {
  it(`kill -9 at ${KILLS} random moments loses and tears nothing that was acknowledged`, {
    timeout: KILLS * 10_000,
  }, async () => {
    const url = await freshUrl(engine)
    const file = join(freshFolder(), 'acknowledged')
    let verified = 0
    for (let round = 0; round < KILLS; round += 1) {
      const lines = Math.floor(Math.random() * MOST_ACKNOWLEDGED)
      const writer = startProgram('fault/writer', [url, file, `${round * 100_000}`])
      // The first lines come while the store opens: 0 of them is a kill at the very start.
      await writer.printedLines(lines)
      writer.child.kill('SIGKILL')
      expect((await writer.ended).signal).toBe('SIGKILL')
      await using store = await openStore(url)
      const { references, cache } = await runtimeFor(store)
      const acknowledged = acknowledgedIn(file)
      const news = acknowledged.slice(verified)
      const found = await references.resolveMany(news.map(({ id }) => id))
      for (const [position, { index, id }] of news.entries()) {
        const bytes = found[position]?.bytes
        expect([round, index, bytes !== undefined && Buffer.compare(bytes, contentOf(index))]).toEqual([
          round,
          index,
          0,
        ])
        expect(found[position]?.reference.id).toBe(id)
      }
      verified = acknowledged.length
      for (let key = 0; key < 10; key += 1) {
        const cached = await cache.get<Uint8Array>(`${key}`)
        if (cached === undefined) continue
        const index = new DataView(cached.buffer).getFloat64(0)
        expect(Buffer.compare(cached, contentOf(index))).toBe(0)
      }
      const usage = await (await runtimeFor(store)).usage()
      expect(usage.storage.references.items).toBeGreaterThanOrEqual(new Set(acknowledged.map(({ id }) => id)).size)
      expect(await store.health()).toEqual({ ok: true, problems: [] })
    }
    await using store = await openStore(url)
    const { references } = await runtimeFor(store)
    const all = acknowledgedIn(file)
    expect(all.length).toBeGreaterThan(KILLS)
    for (const { id, index } of all)
      expect((await references.describe(id)).byteLength).toBe(contentOf(index).byteLength)
  })
})
