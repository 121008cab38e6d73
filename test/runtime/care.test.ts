import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { openStore } from '../../ts/index.ts'
import { openWith } from '../../ts/store/store.ts'
import { engines, freshFolder, noon, openFresh, runtimeFor } from '../support/stores.ts'

afterEach(() => vi.unstubAllEnvs())

const rootKey = new Uint8Array(32).fill(7)
const day = 24 * 3_600_000

describe.each(engines)('care on %s', (engine) => {
  it('a sweep removes expired records of every tenant, and reports them', async () => {
    const store = await openFresh(engine, {}, { now: noon })
    const [acme, globex] = await Promise.all([runtimeFor(store, 'acme'), runtimeFor(store, 'globex')])
    for (const runtime of [acme, globex]) {
      await runtime.references.put('note', 'short', { ttlMs: 1000 })
      await runtime.references.put('note', 'long'.repeat(5000))
      await runtime.cache.set('key', 'value')
      await runtime.approvals.request({ tool: 'pay', input: {} }, { ttlMs: 500 })
    }
    expect(await store.sweep()).toEqual({ removed: 0, expiredApprovals: 0, erased: 0 })
    await store.advance(1000)
    const before = (await acme.usage()).storage.references.items
    const swept = await store.sweep()
    expect([before, swept.expiredApprovals, swept.erased]).toEqual([2, 2, 0])
    expect(swept.removed).toBeGreaterThanOrEqual(2)
    expect((await acme.usage()).storage.references.items).toBe(1)
    expect((await acme.approvals.history()).items.map(({ decision }) => decision)).toEqual(['expired'])
    await store.advance(31 * day)
    await store.sweep()
    const { storage } = await globex.usage()
    expect([storage.references.items, storage.cache.items, storage.approvals.items]).toEqual([0, 0, 1])
    expect(await store.sweep()).toEqual({ removed: 0, expiredApprovals: 0, erased: 0 })
  })

  it('a backup made during writes is complete, and useless without the root key', async () => {
    const store = await openFresh(engine, { rootKey })
    vi.stubEnv('BAILIWICK_ROOT_KEY', undefined)
    const acme = await runtimeFor(store, 'acme')
    const early = await acme.references.put('note', 'early'.repeat(2000))
    const large = await acme.references.put('bytes', new Uint8Array(5 << 20).fill(9))
    const { approvalId } = await acme.approvals.request({ tool: 'pay', input: {} })
    await acme.approvals.respond(approvalId, { decision: 'approve', actor: 'ann' })
    const directory = join(freshFolder(), 'copy')
    let working = true
    const work = (async () => {
      for (let number = 0; working; number += 1) await acme.references.put('note', `${number}`)
    })()
    const made = await store.backup(directory)
    working = false
    await work
    expect(made.rows).toBeGreaterThan(5)
    expect(readdirSync(join(directory, '..'))).toEqual(['copy'])
    expect(existsSync(join(directory, 'root.key'))).toBe(false)
    expect(statSync(directory).mode & 0o777).toBe(0o700)

    await expect(openStore(`sled:${directory}`)).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    await expect(openStore(`sled:${directory}`, { rootKey: new Uint8Array(32) })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    })
    await using copy = await openWith(`sled:${directory}`, { rootKey }, {})
    expect(copy.publicKey).toBe(store.publicKey)
    const restored = await runtimeFor(copy, 'acme')
    expect((await restored.references.resolve(early.id)).text()).toBe('early'.repeat(2000))
    expect((await restored.references.resolve(large.id)).bytes).toHaveLength(5 << 20)
    expect(await restored.approvals.verify()).toMatchObject({ ok: true, size: 1 })
    expect(await copy.check()).toMatchObject({ ok: true, tenants: 1 })
    // A put that was acknowledged before the copy began is in it, and what is in it is whole.
    const notes = await restored.references.list({ type: 'note', limit: 1000 })
    const found = await restored.references.resolveMany(notes.items.map(({ id }) => id))
    expect(found.every((one) => one !== undefined)).toBe(true)
    const usage = await restored.usage()
    expect(usage.storage.references.items).toBeGreaterThanOrEqual(notes.items.length)
  })

  it('a backup writes over no existing file', async () => {
    const store = await openFresh(engine, { rootKey })
    await (await runtimeFor(store)).references.put('note', 'x')
    const folder = freshFolder()
    writeFileSync(join(folder, 'mine'), 'mine')
    mkdirSync(join(folder, 'empty'))
    for (const bad of [folder, join(folder, 'mine'), '', 'a\0b', '/']) {
      await expect(store.backup(bad), bad).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    }
    await expect(store.backup(join(folder, 'mine', 'below'))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(readFileSync(join(folder, 'mine'), 'utf8')).toBe('mine')
    await store.backup(join(folder, 'empty'))
    await store.backup(join(folder, 'deep', 'er'))
    expect(existsSync(join(folder, 'deep', 'er', 'format'))).toBe(true)
  })
})
