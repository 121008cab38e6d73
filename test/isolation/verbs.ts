import type { Reference, Runtime } from '../../ts/index.ts'
import type { OpenStore } from '../../ts/runtime/store.ts'

/** What stands where a verb looks. */
export interface Scene {
  /** The tenant that asks. */
  readonly runtime: Runtime
  /** The id that it asks for. */
  readonly id: string
  /** The cache key that it asks for. */
  readonly key: string
}

/** What a verb answers when there is nothing; `undefined` for verbs that do not look for one thing. */
type Ask = (scene: Scene) => Promise<unknown>

/**
 * Every verb of `references`, asked for one thing that may or may not be there. Verbs that look for nothing in particular
 * answer by what the tenant has, which is nothing. The test checks that no verb is missing here.
 */
export const referenceVerbs: Record<string, Ask> = {
  resolve: ({ runtime, id }) => runtime.references.resolve(id),
  resolveMany: ({ runtime, id }) => runtime.references.resolveMany([id, id]),
  describe: ({ runtime, id }) => runtime.references.describe(id),
  delete: ({ runtime, id }) => runtime.references.delete(id),
  list: ({ runtime }) => runtime.references.list(),
  put: async ({ runtime }) => shapeOf(await runtime.references.put('thing', 'of its own', { ttlMs: 1000 })),
  putMany: async ({ runtime }) =>
    (await runtime.references.putMany([{ type: 'thing', value: 'of its own', ttlMs: 1000 }])).map(shapeOf),
}

/** The same for `cache`. */
export const cacheVerbs: Record<string, Ask> = {
  get: ({ runtime, key }) => runtime.cache.get(key),
  set: ({ runtime, key }) => runtime.cache.set(key, 'own'),
  delete: ({ runtime, key }) => runtime.cache.delete(key),
  getOrCompute: async ({ runtime, key }) => {
    let computed = 0
    const value = await runtime.cache.getOrCompute(key, {}, () => {
      computed += 1
      return 'own'
    })
    return [value, computed]
  },
}

/** A new reference without what differs between two puts anyway. */
function shapeOf({ id, ...rest }: Reference): object {
  return { ...rest, id: id.length }
}

/** Ways in which a thing may not be there, each arranged by whoever owns it. */
export const situations: Record<string, (stage: Stage) => Promise<Pick<Scene, 'id' | 'key'>>> = {
  absent: async () => ({ id: `ref_${'a'.repeat(32)}`, key: 'never' }),
  expired: async ({ own, store }) => {
    const { id } = await own.references.put('thing', 'gone', { ttlMs: 10 })
    await own.cache.set('gone', 'gone', { ttlMs: 10 })
    await store.advance(10)
    return { id, key: 'gone' }
  },
  'expired, and large': async ({ own, store }) => {
    const { id } = await own.references.put('thing', 'gone'.repeat(5000), { ttlMs: 10 })
    await own.cache.set('large', 'gone'.repeat(5000), { ttlMs: 10 })
    await store.advance(10)
    return { id, key: 'large' }
  },
  deleted: async ({ own }) => {
    const { id } = await own.references.put('thing', 'deleted')
    await own.references.delete(id)
    await own.cache.set('deleted', 'deleted')
    await own.cache.delete('deleted')
    return { id, key: 'deleted' }
  },
  foreign: async ({ foreign }) => await placed(foreign, 'foreign'),
  'foreign, and at hand': async ({ foreign }) => {
    const scene = await placed(foreign, 'at hand')
    await foreign.references.resolve(scene.id)
    await foreign.cache.get(scene.key)
    return scene
  },
  'foreign, and large': async ({ foreign }) => await placed(foreign, 'large'.repeat(5000)),
  'foreign, with content that was the own before': async ({ own, foreign }) => {
    const mine = await placed(own, 'both')
    await own.references.delete(mine.id)
    await own.cache.delete(mine.key)
    return await placed(foreign, 'both')
  },
  malformed: async () => ({ id: 'ref_not an id', key: 'malformed' }),
}

/** Two tenants of one store. */
export interface Stage {
  readonly own: Runtime
  readonly foreign: Runtime
  readonly store: OpenStore
}

async function placed({ references, cache }: Runtime, content: string): Promise<Pick<Scene, 'id' | 'key'>> {
  const { id } = await references.put('thing', content)
  await cache.set('placed', content)
  return { id, key: 'placed' }
}
