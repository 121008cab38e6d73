import { cpSync, linkSync, mkdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openStore } from '../../../ts/index.ts'
import { openWith } from '../../../ts/store/store.ts'
import { contents } from '../../support/contents.ts'
import { freshFolder, runtimeFor } from '../../support/stores.ts'

/** What stands in the place of a part of a store, made beside where the part was moved to. */
const plants: { readonly [what: string]: (outside: string, place: string) => void } = {
  'a symbolic link': (outside, place) => symlinkSync(outside, place),
  'a hard link': (outside, place) => {
    // A directory cannot have one.
    if (statSync(outside).isDirectory()) symlinkSync(outside, place)
    else linkSync(outside, place)
  },
  'the other kind of file': (outside, place) => {
    if (statSync(outside).isDirectory()) writeFileSync(place, 'a file')
    else mkdirSync(place)
  },
}

const parts = ['keys', 'mark', 'wal-1', 'wal-2', 'lock', 'root.key', 'manifest', 'tables', 'segments', 'values']

/** A copy of a sound store of two tenants. */
async function copyOfStore(): Promise<string> {
  const [made, copy] = [join(freshFolder(), 'store'), join(freshFolder(), 'store')]
  const store = await openStore(`sled:${made}`)
  for (const name of ['acme', 'globex']) {
    await (await runtimeFor(store, name)).references.put('note', new Uint8Array(20_000).fill(1))
  }
  await store.close()
  cpSync(made, copy, { recursive: true })
  return copy
}

describe.each(Object.keys(plants))('%s in the place of a part of a store', (what) => {
  it.each(parts)('%s: opening it is refused, and nothing is changed on either side', async (part) => {
    const directory = await copyOfStore()
    const outside = freshFolder()
    const moved = join(outside, 'moved')
    renameSync(join(directory, part), moved)
    plants[what]?.(moved, join(directory, part))
    const before = [contents(directory), contents(outside)]
    await expect(openStore(`sled:${directory}`)).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    expect([contents(directory), contents(outside)]).toEqual(before)
    // What was moved away is whole: put back, the store opens.
    rmSync(join(directory, part), { recursive: true })
    renameSync(moved, join(directory, part))
    const store = await openWith(`sled:${directory}`, {}, {})
    expect((await store.check()).ok).toBe(true)
    await store.close()
  })
})

it('health reports that the directory of an open store was removed, and no more writes are acknowledged', async () => {
  const directory = join(freshFolder(), 'store')
  const store = await openStore(`sled:${directory}`)
  const { references } = await runtimeFor(store)
  await references.put('note', 'before')
  rmSync(directory, { recursive: true })
  expect(await store.health()).toMatchObject({ ok: false })
  await expect(references.put('note', 'after')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  await store.close()
})
