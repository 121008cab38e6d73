import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createRuntime, defineRuntime, defineTenant, openStore, type ReferenceValue } from 'bailiwick'
import type { DenoKvDatabase, LmdbDatabase } from '../contenders/rivals.ts'
import { storedBytes } from '../disk.ts'
import type { Conditions, Figure, Finding, Ratio } from '../finding.ts'
import { inFlight } from '../in-flight.ts'
import { type Contender, interleaved } from '../measure.ts'
import { figuresOf, ratioOf } from '../ratios.ts'
import { freshBytes, freshRows, shuffled } from '../values.ts'

const OURS = 'bailiwick resolve'
const LMDB = 'lmdb getBinary'
const DENO_KV = '@deno/kv get'
const ITEMS = 50_000
const SLOW_ITEMS = 2_000
const WRITERS = 256
const DENO_KV_BATCH = 100

/** Reads values that were opened before, all of them in turn, against stores whose files are in the page cache. */
export async function hotResolve(conditions: Conditions, form: 'bytes' | 'rows', byteLength: number): Promise<Finding> {
  const folder = join(conditions.folder, `hot-${form}-${byteLength}`)
  mkdirSync(folder)
  const store = await openStore(`sled:${join(folder, 'bailiwick')}`, { openedCacheBytes: 2 ** 31 })
  const runtime = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1') }), { store })
  const ids: string[] = []
  const contents: Uint8Array[] = []
  await inFlight(conditions.keys, WRITERS, async (index) => {
    const value: ReferenceValue = form === 'bytes' ? freshBytes(byteLength) : freshRows(byteLength)
    ids[index] = (await runtime.references.put('sample', value)).id
  })
  for (const id of ids) contents.push((await runtime.references.resolve(id)).bytes)
  const lmdb = await fillLmdb(conditions, join(folder, 'lmdb'), ids, contents)
  const denoKv = await fillDenoKv(conditions, join(folder, 'deno-kv'), ids, contents)
  const size = contents.reduce((sum, bytes) => sum + bytes.length, 0)
  contents.length = 0

  const order = shuffled(ids.length)
  const at = (round: number, index: number) =>
    ids[order[((round + 1) * ITEMS + index) % ids.length] as number] as string
  const contenders: Contender[] = [
    {
      name: OURS,
      items: ITEMS,
      round: async (round) => {
        let sum = 0
        for (let index = 0; index < ITEMS; index += 1) {
          const { bytes } = await runtime.references.resolve(at(round, index))
          sum += bytes.length + (bytes[7] as number)
        }
        return sum
      },
    },
  ]
  if (lmdb !== undefined) contenders.push({ name: LMDB, items: ITEMS, round: (round) => readLmdb(lmdb, round, at) })
  if (denoKv !== undefined) {
    contenders.push({ name: DENO_KV, items: SLOW_ITEMS, round: (round) => readDenoKv(denoKv, round, at) })
  }
  const timings = await interleaved(contenders, conditions.rounds)

  await store.close()
  await lmdb?.close()
  denoKv?.close()
  const stored: Figure[] = ['bailiwick', 'lmdb', 'deno-kv'].flatMap((name, index) =>
    (index === 1 && !lmdb) || (index === 2 && !denoKv)
      ? []
      : [{ contender: name, what: 'stored MB', value: storedBytes(join(folder, name)) / 1e6 }],
  )
  const ratios: Ratio[] = [
    ...ratioOf(timings, OURS, LMDB, { atMost: 1 }),
    ...ratioOf(timings, DENO_KV, OURS, { atLeast: 20 }),
  ]
  return {
    row: `resolve, hot, ${byteLength} B ${form === 'bytes' ? 'of bytes' : 'of JSON rows'}`,
    load: `${ids.length} keys, ${(size / ids.length).toFixed(0)} bytes each, one at a time in shuffled order`,
    figures: [...figuresOf(timings), ...stored],
    ratios,
  }
}

async function fillLmdb({ rivals }: Conditions, path: string, ids: readonly string[], contents: readonly Uint8Array[]) {
  const database = rivals.lmdb?.open({ path, encoding: 'binary', separateFlushed: true })
  if (database === undefined) return undefined
  let last: Promise<unknown> = Promise.resolve()
  for (const [index, id] of ids.entries()) last = database.put(id, contents[index] as Uint8Array)
  await last
  return database
}

async function fillDenoKv(
  { rivals }: Conditions,
  path: string,
  ids: readonly string[],
  contents: readonly Uint8Array[],
) {
  if (rivals.denoKv === undefined) return undefined
  const database = await rivals.denoKv.openKv(path)
  for (let start = 0; start < ids.length; start += DENO_KV_BATCH) {
    const batch = database.atomic()
    ids.slice(start, start + DENO_KV_BATCH).forEach((id, index) => {
      batch.set([id], contents[start + index])
    })
    await batch.commit()
  }
  return database
}

type At = (round: number, index: number) => string

function readLmdb(database: LmdbDatabase, round: number, at: At): number {
  let sum = 0
  for (let index = 0; index < ITEMS; index += 1) {
    const bytes = database.getBinary(at(round, index)) as Uint8Array
    sum += bytes.length + (bytes[7] as number)
  }
  return sum
}

async function readDenoKv(database: DenoKvDatabase, round: number, at: At): Promise<number> {
  let sum = 0
  for (let index = 0; index < SLOW_ITEMS; index += 1) {
    const bytes = (await database.get([at(round, index)])).value as Uint8Array
    sum += bytes.length + (bytes[7] as number)
  }
  return sum
}
