import { randomBytes } from 'node:crypto'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { openStore, type Store, type StoreOptions } from '../../ts/index.ts'
import { codeOf, failureOf } from '../support/failures.ts'
import { engines, freshFolder, freshUrl, openFresh, runtimeFor } from '../support/stores.ts'

afterEach(() => vi.unstubAllEnvs())

describe.each(engines)('a store on %s', (engine) => {
  it('reports its URL, its health and figures without tenants', async () => {
    const store = await openFresh(engine)
    const runtime = await runtimeFor(store)
    await runtime.references.put('thing', 1)
    expect(await store.health()).toEqual({ ok: true, problems: [] })
    const stats = await store.stats()
    expect(Object.keys(stats).sort()).toEqual(['alarms', 'openedBytes', 'tenants'])
    expect([stats.alarms, stats.tenants]).toEqual([0, 1])
    expect(stats.openedBytes).toBeGreaterThan(0)
  })

  it('close ends its runtimes and does nothing the second time', async () => {
    const store = await openFresh(engine)
    const runtime = await runtimeFor(store)
    const pending = runtime.references.put('thing', 1)
    const closing = store.close()
    expect(store.close()).toBe(closing)
    await Promise.allSettled([pending, closing])
    const calls = [
      () => store.health(),
      () => store.stats(),
      () => runtime.references.put('thing', 1),
      () => runtime.references.putMany([]),
      () => runtime.references.resolve(''),
      () => runtime.references.resolveMany([]),
      () => runtime.references.describe(''),
      () => runtime.references.list(),
      () => runtime.references.delete(''),
      () => runtime.cache.get('key'),
      () => runtime.cache.set('key', 1),
      () => runtime.cache.delete('key'),
      () => runtime.cache.getOrCompute('key', {}, () => 1),
      () => runtime.usage(),
      () => runtime.query('x').result(),
      () => runtimeFor(store),
    ]
    for (const call of calls) expect([String(call), await codeOf(call)]).toEqual([String(call), 'CLOSED'])
    await runtime.close()
    await runtime[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
  })

  it('closing a runtime ends that handle alone; async dispose closes', async () => {
    const store = await openFresh(engine)
    const one = await runtimeFor(store)
    const two = await runtimeFor(store)
    const { id } = await one.references.put('thing', 'kept')
    {
      await using disposed = one
      expect(disposed.tenant.resourceId).toBe('acme')
    }
    expect(await codeOf(() => one.references.resolve(id))).toBe('CLOSED')
    expect((await two.references.resolve(id)).text()).toBe('kept')
    expect(one.close()).toBe(one.close())
  })

  it('stores of the same place are shared; closing one keeps the other', async () => {
    const url = await freshUrl(engine)
    const one = await openStore(url)
    const two = await openStore(url)
    const runtime = await runtimeFor(two)
    const { id } = await (await runtimeFor(one)).references.put('thing', 'shared')
    await one.close()
    expect((await runtime.references.resolve(id)).text()).toBe('shared')
    const three = await openStore(url)
    await two.close()
    expect((await (await runtimeFor(three)).references.resolve(id)).text()).toBe('shared')
    await three.close()
  })

  it('a runtime that was given a URL opens and closes the store itself', async () => {
    const url = await freshUrl(engine)
    const keeper = await openStore(url)
    const { id } = await (await runtimeFor(keeper)).references.put('thing', 'x')
    const runtime = await runtimeFor(url)
    expect((await runtime.references.resolve(id)).text()).toBe('x')
    await runtime.close()
    vi.stubEnv('BAILIWICK_STORE', url)
    await using named = await runtimeFor(undefined as never)
    expect((await named.references.resolve(id)).text()).toBe('x')
    await keeper.close()
  })

  it('takes its root key as bytes, from a function and from the environment', async () => {
    const url = await freshUrl(engine)
    const rootKey = new Uint8Array(randomBytes(32))
    const base64 = Buffer.from(rootKey).toString('base64')
    vi.stubEnv('MY_KEY', base64)
    vi.stubEnv('UNPADDED', base64.replaceAll('=', ''))
    const keeper = await openStore(url, { rootKey })
    const { id } = await (await runtimeFor(keeper)).references.put('thing', 'sealed')
    const forms: StoreOptions[] = [
      { rootKey: Buffer.from(rootKey) },
      { rootKey: async () => rootKey },
      { rootKeyEnv: 'MY_KEY' },
      { rootKeyEnv: 'UNPADDED' },
    ]
    for (const form of forms) {
      await using store = await openStore(url, form)
      expect((await (await runtimeFor(store)).references.resolve(id)).text()).toBe('sealed')
    }
    vi.stubEnv('BAILIWICK_ROOT_KEY', base64)
    await using store = await openStore(url)
    expect((await (await runtimeFor(store)).references.resolve(id)).text()).toBe('sealed')
    await keeper.close()
  })

  it('a wrong, short or missing root key is refused and the store continues', async () => {
    const url = await freshUrl(engine)
    const rootKey = new Uint8Array(32).fill(1)
    const keeper = await openStore(url, { rootKey })
    const { id } = await (await runtimeFor(keeper)).references.put('thing', 'sealed')
    vi.stubEnv('SHORT', Buffer.alloc(31).toString('base64'))
    vi.stubEnv('NO_BASE64', 'ä!')
    vi.stubEnv('EMPTY', '')
    const wrong = [
      { rootKey: new Uint8Array(32) },
      { rootKey: new Uint8Array(31) },
      { rootKey: new Uint8Array(0) },
      { rootKey: 'a'.repeat(32) },
      { rootKey: async () => undefined },
      { rootKey: null },
      { rootKeyEnv: 'SHORT' },
      { rootKeyEnv: 'NO_BASE64' },
      { rootKeyEnv: 'EMPTY' },
      { rootKeyEnv: 'NOT_THERE' },
      { rootKeyEnv: 5 },
    ] as StoreOptions[]
    const check = async () => {
      for (const options of wrong) expect(await codeOf(() => openStore(url, options))).toBe('INVALID_INPUT')
    }
    await check()
    expect((await failureOf(() => openStore(url, { rootKeyEnv: 'NOT_THERE' }))).message).toContain('NOT_THERE')
    await using still = await openStore(url, { rootKey })
    expect((await (await runtimeFor(still)).references.resolve(id)).text()).toBe('sealed')
    await keeper.close()
  })

  it('refuses invalid URLs and options, by a rejected promise', async () => {
    const urls = [
      '',
      'sled',
      'sled:',
      'memory',
      'postgre://x',
      'SLED:x',
      'sled:a\u0000b',
      'sled:\ud800',
      5,
      null,
      undefined,
      {},
    ] as string[]
    for (const url of urls) {
      expect([url, await codeOf(() => openStore(url))]).toEqual([url, 'INVALID_INPUT'])
      if (url !== undefined) expect(await codeOf(() => runtimeFor(url))).toBe('INVALID_INPUT')
    }
    const url = await freshUrl(engine)
    const options = [
      null,
      5,
      { cacheBytes: -1 },
      { cacheBytes: 1.5 },
      { cacheBytes: Number.NaN },
      { cacheBytes: '1' },
      { openedCacheBytes: Number.POSITIVE_INFINITY },
      { openedCacheBytes: 1n },
    ] as StoreOptions[]
    for (const option of options) expect(await codeOf(() => openStore(url, option))).toBe('INVALID_INPUT')
    await using store = await openStore(url, { cacheBytes: 1 << 20, openedCacheBytes: 0 })
    const { references } = await runtimeFor(store)
    const { id } = await references.put('thing', 'not cached')
    expect((await references.resolve(id)).text()).toBe('not cached')
  })
})

describe('where a sled store is', () => {
  async function put(store: Store): Promise<string> {
    return (await (await runtimeFor(store)).references.put('thing', 'x')).id
  }

  it('is compared by its real path', async () => {
    const folder = freshFolder()
    mkdirSync(join(folder, 'parent'))
    symlinkSync(join(folder, 'parent'), join(folder, 'link'))
    const path = join(folder, 'parent', 'store')
    const spellings = [
      path,
      join(folder, 'link', 'store'),
      `${folder}/parent/../parent/./store`,
      relative(process.cwd(), path),
      `${path}/`,
    ]
    const first = await openStore(`sled:${path}`)
    const id = await put(first)
    for (const spelling of spellings) {
      await using store = await openStore(`sled:${spelling}`)
      expect((await (await runtimeFor(store)).references.resolve(id)).text()).toBe('x')
    }
    await first.close()
  })

  it('keeps everything over a close; v1 and v2 of a tenant are one', async () => {
    const url = await freshUrl('sled')
    const ids: string[] = []
    for (let round = 0; round < 5; round += 1) {
      await using store = await openStore(url)
      const { references } = await runtimeFor(store, 'acme', `v${round}`)
      ids.push((await references.put('round', `${round} ${'x'.repeat(round * 4000)}`)).id)
      expect((await references.list()).items.map(({ id }) => id)).toEqual(ids.toReversed())
      expect((await references.resolveMany(ids)).map((found) => found?.text()[0])).toEqual(
        ids.map((_, index) => `${index}`),
      )
    }
  })

  it('refuses a foreign directory, a file and a symbolic link, and leaves them as they are', async () => {
    const folder = freshFolder()
    const paths = {
      foreign: join(folder, 'foreign'),
      file: join(folder, 'file'),
      link: join(folder, 'link'),
      store: join(folder, 'store'),
    }
    mkdirSync(paths.foreign)
    writeFileSync(join(paths.foreign, 'thesis.txt'), 'mine')
    writeFileSync(paths.file, 'mine')
    await (await openStore(`sled:${paths.store}`)).close()
    symlinkSync(paths.store, paths.link)
    for (const path of [paths.foreign, paths.link])
      expect(await codeOf(() => openStore(`sled:${path}`))).toBe('INVALID_INPUT')
    expect(['INVALID_INPUT', 'STORE_UNAVAILABLE']).toContain(await codeOf(() => openStore(`sled:${paths.file}`)))
    expect(await codeOf(() => openStore(`sled:${paths.file}/store`))).toBe('STORE_UNAVAILABLE')
    await (await openStore(`sled:${paths.store}`)).close()
  })

  it('memory: is a new store each time', async () => {
    const [one, two] = await Promise.all([openStore('memory:'), openStore('memory:')])
    const id = await put(one)
    expect(await codeOf(async () => (await runtimeFor(two)).references.resolve(id))).toBe('NOT_FOUND')
    await Promise.all([one.close(), two.close()])
  })
})
