// Puts many small values and prints what they cost, and whether the last ones cost what the first ones did. Parameters: the
// contender, a path, how many, bytes of each, and how many are in flight.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { createRuntime, defineRuntime, defineTenant, openStore } from 'bailiwick'
import { loadRivals } from './contenders/rivals.ts'
import { inFlight } from './in-flight.ts'
import { manyBytes } from './values.ts'

/** The output of the process: microseconds of a put, and bytes. */
export interface SmallValues {
  readonly first: Cost
  readonly last: Cost
  readonly all: Cost
  /** Of the process, before the store is closed. */
  readonly resident: number
  /** Written to disks until the store is closed; only Linux tells. */
  readonly written: number | undefined
}

/** Microseconds of a put: by the clock, and of all threads of the process. For all puts, `processors` includes closing. */
export interface Cost {
  readonly wall: number
  readonly processors: number
}

/** Where values go, and the end. */
interface Target {
  readonly put: (key: string, value: Uint8Array) => Promise<unknown> | undefined
  readonly close: () => unknown
}

/** So many values are made at once, at most. */
const PART = 10_000

const [name = '', path = '', ...numbers] = process.argv.slice(2)
const [count = 0, bytes = 0, width = 0] = numbers.map(Number)

const targets: Record<string, () => Target | Promise<Target> | undefined> = {
  bailiwick: async () => {
    const store = await openStore(`sled:${path}`)
    const runtime = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1') }), { store })
    return { put: (_, value) => runtime.references.put('sample', value), close: () => store.close() }
  },
  'better-sqlite3, FULL': () => {
    if (rivals.sqlite === undefined) return undefined
    const database = new rivals.sqlite(path)
    database.pragma('journal_mode = WAL')
    database.pragma('synchronous = FULL')
    database.exec('create table sample (key text primary key, value blob) without rowid')
    const insert = database.prepare('insert into sample values (?, ?)')
    return { put: (key, value) => void insert.run(key, value), close: () => database.close() }
  },
  'lmdb, flushed': () => {
    const database = rivals.lmdb?.open({ path, encoding: 'binary', separateFlushed: true })
    return database && { put: (key, value) => database.put(key, value).flushed, close: () => database.close() }
  },
}

async function fill({ put, close }: Target): Promise<SmallValues> {
  const tenth = count / 10
  const part = tenth / Math.ceil(tenth / PART)
  const tenths: Cost[] = []
  const written = writtenBytes()
  const start = measured()
  for (let at = 0; at < 10; at += 1) {
    const before = measured()
    for (let done = 0; done < tenth; done += part) {
      const values = manyBytes(part, bytes)
      const first = at * tenth + done
      await inFlight(part, width, async (index) => {
        await put(`ref_${first + index}_${'k'.repeat(20)}`, values[index] as Uint8Array)
      })
    }
    tenths.push(costSince(before, tenth))
  }
  const { wall } = costSince(start, count)
  const resident = process.memoryUsage().rss
  await close()
  const { processors } = costSince(start, count)
  const more = writtenBytes()
  const all = { wall, processors }
  const [first, last] = [tenths[0] ?? all, tenths.at(-1) ?? all]
  return { first, last, all, resident, written: more === undefined ? undefined : more - (written ?? 0) }
}

function measured() {
  return { wall: performance.now(), cpu: process.cpuUsage() }
}

function costSince(before: ReturnType<typeof measured>, puts: number): Cost {
  const { user, system } = process.cpuUsage(before.cpu)
  return { wall: ((performance.now() - before.wall) * 1000) / puts, processors: (user + system) / puts }
}

/** Returns what this process has had written to disks so far. */
function writtenBytes(): number | undefined {
  if (!existsSync('/proc/self/io')) return undefined
  const line = readFileSync('/proc/self/io', 'utf8').match(/^write_bytes: (\d+)$/m)
  return line === null ? undefined : Number(line[1])
}

const rivals = loadRivals(join(process.cwd(), 'bench', 'package.json'))
const target = await targets[name]?.()
console.log(JSON.stringify(target === undefined ? null : await fill(target)))
