import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openStore, type Store } from '../../ts/index.ts'
import { openWith } from '../../ts/store/store.ts'
import { codeOf } from '../support/failures.ts'
import { programFile } from '../support/programs.ts'
import { durableEngines, engines, freshFolder, freshUrl, openFresh, runtimeFor } from '../support/stores.ts'

const key = (byte: number) => new Uint8Array(32).fill(byte)

async function noteOf(store: Store, resourceId: string): Promise<string> {
  return (await (await runtimeFor(store, resourceId)).references.put('note', `of ${resourceId}`)).id
}

describe.each(engines)('rotateRootKey on %s', (engine) => {
  it('work continues, on open and new handles, and new openers need the new key', async () => {
    const url = await freshUrl(engine)
    const store = await openWith(url, { rootKey: key(1) }, {})
    onTestFinished(() => store.close())
    const [acme, id] = [await runtimeFor(store, 'acme'), await noteOf(store, 'globex')]
    const early = await acme.references.put('note', 'early')
    const late = Promise.all([1, 2, 3].map((number) => acme.references.put('note', `late ${number}`)))
    expect(await store.rotateRootKey(key(2))).toBeUndefined()
    await late
    expect((await acme.references.resolve(early.id)).text()).toBe('early')
    expect((await (await runtimeFor(store, 'globex')).references.resolve(id)).text()).toBe('of globex')
    await noteOf(store, 'initech')
    expect(await codeOf(() => openStore(url, { rootKey: key(1) }))).toBe('INVALID_INPUT')
    await using joined = await openStore(url, { rootKey: key(2) })
    expect((await (await runtimeFor(joined, 'globex')).references.resolve(id)).text()).toBe('of globex')
    expect(await store.check()).toMatchObject({ ok: true, tenants: 3 })
  })

  it('a key that is not 32 bytes is refused, and the store continues', async () => {
    const store = await openFresh(engine, { rootKey: key(1) })
    const id = await noteOf(store, 'acme')
    for (const bad of [key(2).subarray(1), new Uint8Array(0), new Uint8Array(33), 'a'.repeat(32), undefined, null]) {
      expect(await codeOf(() => store.rotateRootKey(bad as Uint8Array))).toBe('INVALID_INPUT')
    }
    // Buffers and views of others are bytes too.
    await store.rotateRootKey(Buffer.alloc(40, 3).subarray(8))
    await store.rotateRootKey(key(3))
    expect((await (await runtimeFor(store)).references.resolve(id)).text()).toBe('of acme')
    await store.close()
    expect(await codeOf(() => store.rotateRootKey(key(4)))).toBe('CLOSED')
  })

  it('rotations that are asked for at once follow each other', async () => {
    const url = await freshUrl(engine)
    const store = await openWith(url, { rootKey: key(1) }, {})
    onTestFinished(() => store.close())
    await Promise.all([2, 3, 4, 5].map((byte) => store.rotateRootKey(key(byte))))
    const joins = [1, 2, 3, 4, 5].map(async (byte) => {
      const joined = await openStore(url, { rootKey: key(byte) }).catch(() => undefined)
      await joined?.close()
      return joined !== undefined
    })
    expect((await Promise.all(joins)).filter(Boolean)).toHaveLength(1)
    expect(await store.check()).toMatchObject({ ok: true })
  })

  it('a backup from before opens with the old key only, one from after with the new key only', async () => {
    const store = await openFresh(engine, { rootKey: key(1) })
    const id = await noteOf(store, 'acme')
    const folder = freshFolder()
    const [before, after] = [join(folder, 'before'), join(folder, 'after')]
    await store.backup(before)
    await store.rotateRootKey(key(2))
    await store.backup(after)
    for (const [directory, right, wrong] of [
      [before, key(1), key(2)],
      [after, key(2), key(1)],
    ] as const) {
      expect(await codeOf(() => openStore(`sled:${directory}`, { rootKey: wrong }))).toBe('INVALID_INPUT')
      await using copy = await openWith(`sled:${directory}`, { rootKey: right }, {})
      expect((await (await runtimeFor(copy)).references.resolve(id)).text()).toBe('of acme')
      expect(copy.publicKey).toBe(store.publicKey)
      expect(await copy.check()).toMatchObject({ ok: true, tenants: 1 })
    }
  })

  it('worker threads that share the store continue and see the rotation', async () => {
    const url = await freshUrl(engine)
    await using store = await openStore(url, { rootKey: key(1) })
    const id = await noteOf(store, 'acme')
    const worker = new Worker(programFile('worker/rotating'), { workerData: { url, id } })
    onTestFinished(async () => void (await worker.terminate()))
    const said = new Promise<unknown>((resolve, reject) => worker.once('message', resolve).once('error', reject))
    expect(await said).toBe('of acme')
    expect(await codeOf(() => openStore(url, { rootKey: key(1) }))).toBe('INVALID_INPUT')
    expect((await (await runtimeFor(store)).references.resolve(id)).text()).toBe('of acme')
    await using joined = await openStore(url, { rootKey: key(2) })
    expect(await joined.health()).toEqual({ ok: true, problems: [] })
  })
})

describe.each(durableEngines)('rotateRootKey on %s', (engine) => {
  it('after a rotation the store opens again with the new key, and can be rotated once more', async () => {
    const url = await freshUrl(engine)
    let id: string | undefined
    for (const byte of [1, 2, 3]) {
      await using store = await openStore(url, { rootKey: key(byte) })
      id ??= await noteOf(store, 'acme')
      expect((await (await runtimeFor(store)).references.resolve(id)).text()).toBe('of acme')
      await store.rotateRootKey(key(byte + 1))
    }
    expect(await codeOf(() => openStore(url, { rootKey: key(3) }))).toBe('INVALID_INPUT')
  })
})

describe('rotateRootKey of a directory', () => {
  it('a store that keeps its own key still does, and the old key is in no file', async () => {
    const url = await freshUrl('sled')
    const directory = url.slice('sled:'.length)
    const store = await openStore(url)
    const id = await noteOf(store, 'acme')
    const old = readFileSync(join(directory, 'root.key'))
    await store.rotateRootKey(key(2))
    await store.close()
    expect([...readFileSync(join(directory, 'root.key'))]).toEqual([...key(2)])
    expect(existsSync(join(directory, 'root.key.next'))).toBe(false)
    const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    expect(files.length).toBeGreaterThan(3)
    for (const { parentPath, name } of files) {
      expect(readFileSync(join(parentPath, name)).includes(old), name).toBe(false)
    }
    expect(await codeOf(() => openStore(url, { rootKey: new Uint8Array(old) }))).toBe('INVALID_INPUT')
    await using again = await openStore(url)
    expect((await (await runtimeFor(again)).references.resolve(id)).text()).toBe('of acme')
  })
})
