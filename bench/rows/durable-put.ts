import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createRuntime, defineRuntime, defineTenant, openStore } from 'bailiwick'
import { storedBytes } from '../disk.ts'
import type { Conditions, Figure, Finding, Ratio } from '../finding.ts'
import { inFlight } from '../in-flight.ts'
import { type Contender, interleaved, type Timing } from '../measure.ts'
import { figuresOf, ratioOf } from '../ratios.ts'
import { manyBytes } from '../values.ts'

const OURS = 'bailiwick put'
const SQLITE = 'better-sqlite3 put, FULL'
const LMDB = 'lmdb put, flushed'
const BYTES = 256

/** Writes new values; each counts when it would survive a power cut. */
export async function durablePut(conditions: Conditions, width: number, items: number): Promise<Finding> {
  const folder = join(conditions.folder, `put-${width}`)
  mkdirSync(folder)
  let values: Uint8Array[] = []
  const prepare = () => {
    values = manyBytes(items, BYTES)
  }
  const value = (index: number) => values[index] as Uint8Array
  const keyOf = (round: number, index: number) => `ref_${round}_${index}_${'k'.repeat(20)}`

  const store = await openStore(`sled:${join(folder, 'bailiwick')}`)
  const runtime = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1') }), { store })
  const contenders: Contender[] = [
    {
      name: OURS,
      items,
      prepare,
      round: async () => {
        let sum = 0
        await inFlight(items, width, async (index) => {
          sum += (await runtime.references.put('sample', value(index))).byteLength
        })
        return sum
      },
    },
  ]
  const closing: (() => unknown)[] = [() => store.close()]
  if (conditions.rivals.sqlite !== undefined) {
    const database = new conditions.rivals.sqlite(join(folder, 'sqlite'))
    database.pragma('journal_mode = WAL')
    database.pragma('synchronous = FULL')
    database.exec('create table sample (key text primary key, value blob) without rowid')
    const insert = database.prepare('insert into sample values (?, ?)')
    const round = (round: number) => {
      for (let index = 0; index < items; index += 1) insert.run(keyOf(round, index), value(index))
      return items
    }
    contenders.push({ name: SQLITE, items, prepare, round })
    closing.push(() => database.close())
  }
  if (conditions.rivals.lmdb !== undefined) {
    const path = join(folder, 'lmdb')
    const database = conditions.rivals.lmdb.open({ path, encoding: 'binary', separateFlushed: true })
    const round = async (round: number) => {
      await inFlight(items, width, (index) => database.put(keyOf(round, index), value(index)).flushed)
      return items
    }
    contenders.push({ name: LMDB, items, prepare, round })
    closing.push(() => database.close())
  }
  const timings = await interleaved(contenders, conditions.rounds)
  for (const close of closing) await close()
  const stored: Figure[] = ['bailiwick', 'sqlite', 'lmdb'].slice(0, contenders.length).map((name) => ({
    contender: name,
    what: 'stored bytes an item',
    value: storedBytes(join(folder, name)) / (items * (conditions.rounds + 1)),
  }))
  return {
    row: `durable put, ${width === 1 ? 'one at a time' : `${width} in flight`}`,
    load: `${items} new values of ${BYTES} B a round, ${conditions.rounds} rounds; SQLite WAL, one put a transaction`,
    figures: [...figuresOf(timings), ...stored],
    ratios: width === 1 ? alone(timings) : together(timings),
  }
}

function together(timings: ReadonlyMap<string, Timing>): Ratio[] {
  return [...ratioOf(timings, SQLITE, OURS, { atLeast: 5 }), ...ratioOf(timings, OURS, LMDB, { atMost: 1 })]
}

/** Against the faster of the two. */
function alone(timings: ReadonlyMap<string, Timing>): Ratio[] {
  const medianOf = (name: string) => timings.get(name)?.median ?? Number.POSITIVE_INFINITY
  return ratioOf(timings, OURS, medianOf(SQLITE) <= medianOf(LMDB) ? SQLITE : LMDB, { atMost: 1.5 })
}
