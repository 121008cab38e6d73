import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { openWith } from '../../ts/store/store.ts'
import { startProgram } from '../support/programs.ts'
import { durableEngines, freshUrl, runtimeFor } from '../support/stores.ts'

/** On each engine. */
const KILLS = process.env['BAILIWICK_LONG'] === '1' ? 2_000 : 50
/** Most erases of the program take less. */
const LONGEST_MS = 12

describe.each(durableEngines)('an erase on %s', (engine) => {
  it(`kill -9 at ${KILLS} moments during an erase leaves a tenant whole or erased, and the other as it was`, {
    timeout: KILLS * 10_000,
  }, async () => {
    const url = await freshUrl(engine)
    const ends = { whole: 0, erased: 0 }
    for (let round = 0; round < KILLS; round += 1) {
      const eraser = startProgram('fault/eraser', [url])
      await eraser.printed('erasing')
      // This is the moment of the kill, not a wait for anything.
      await sleep((round / KILLS) * LONGEST_MS)
      eraser.child.kill('SIGKILL')
      const { lines } = await eraser.ended
      const store = await openWith(url, {}, {})
      const [acme, globex] = await Promise.all([runtimeFor(store, 'acme'), runtimeFor(store, 'globex')])
      const { storage } = await acme.usage()
      const kept = await globex.usage()
      if (storage.references.items > 0) {
        ends.whole += 1
        expect(lines).not.toContain('erased')
        expect(await acme.approvals.verify()).toMatchObject({ ok: true })
        // A server goes on with what a killed process had sent: the erase may have begun only now.
        const again = acme.erase({ confirm: 'acme' }).then(({ complete }) => complete)
        expect(await again.catch((error) => error.code)).toBeOneOf([true, 'CLOSED'])
      } else {
        ends.erased += 1
        expect(Object.values(storage).every(({ items }) => items === 0)).toBe(true)
        expect((await acme.references.list()).items).toEqual([])
      }
      await store.sweep()
      expect(await store.check()).toMatchObject({ ok: true, tenants: 1, problems: [] })
      expect(kept.storage.approvals.items).toBe(1)
      expect(await store.health()).toEqual({ ok: true, problems: [] })
      await store.close()
    }
    expect(ends.erased).toBeGreaterThan(0)
  })
})
