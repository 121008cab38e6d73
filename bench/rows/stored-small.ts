import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { createRuntime, defineRuntime, defineTenant, openStore } from 'bailiwick'
import { storedBytes } from '../disk.ts'
import type { Conditions, Figure, Finding, Ratio } from '../finding.ts'
import { inFlight } from '../in-flight.ts'
import { manyBytes } from '../values.ts'

const COUNT = 200_000
const BYTES = 256
const WIDTH = 256
/** So many values are made at once. */
const PART = 10_000
const OURS = 'bailiwick'

/** Where values go, and the end. */
interface Target {
  readonly put: (key: string, value: Uint8Array) => Promise<unknown> | undefined
  readonly close: () => unknown
}

/** What small values cost besides time: processor time, bytes written to the disk, and bytes on it after the store was closed. */
export async function storedSmallValues(conditions: Conditions): Promise<Finding> {
  const folder = join(conditions.folder, 'stored-small')
  mkdirSync(folder)
  const { sqlite, lmdb } = conditions.rivals
  const targets: Record<string, (path: string) => Target | Promise<Target>> = { [OURS]: ours }
  if (sqlite !== undefined) {
    targets['better-sqlite3, FULL'] = (path) => {
      const database = new sqlite(path)
      database.pragma('journal_mode = WAL')
      database.pragma('synchronous = FULL')
      database.exec('create table sample (key text primary key, value blob) without rowid')
      const insert = database.prepare('insert into sample values (?, ?)')
      return { put: (key, value) => void insert.run(key, value), close: () => database.close() }
    }
  }
  if (lmdb !== undefined) {
    targets['lmdb, flushed'] = (path) => {
      const database = lmdb.open({ path, encoding: 'binary', separateFlushed: true })
      return { put: (key, value) => database.put(key, value).flushed, close: () => database.close() }
    }
  }
  const figures: Figure[] = []
  for (const [contender, open] of Object.entries(targets)) {
    const path = join(folder, String(figures.length))
    for (const [what, value] of await fill(path, open)) figures.push({ contender, what, value })
  }
  return {
    row: 'what small values cost besides time',
    load: `${COUNT} random values of ${BYTES} B, ${WIDTH} in flight; SQLite WAL, one put a transaction`,
    figures,
    ratios: ratiosOf(figures),
  }
}

async function ours(path: string): Promise<Target> {
  const store = await openStore(`sled:${path}`)
  const runtime = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1') }), { store })
  return { put: (_, value) => runtime.references.put('sample', value), close: () => store.close() }
}

async function fill(path: string, open: (path: string) => Target | Promise<Target>): Promise<[string, number][]> {
  const target = await open(path)
  const before = { cpu: process.cpuUsage(), written: writtenBytes() }
  for (let first = 0; first < COUNT; first += PART) {
    const values = manyBytes(PART, BYTES)
    await inFlight(PART, WIDTH, async (index) => {
      await target.put(`ref_${first + index}_${'k'.repeat(20)}`, values[index] as Uint8Array)
    })
  }
  await target.close()
  const { user, system } = process.cpuUsage(before.cpu)
  const figures: [string, number][] = [
    ['µs of processors a put', (user + system) / COUNT],
    ['stored ÷ bytes of the values', storedBytes(path) / (COUNT * BYTES)],
  ]
  const written = writtenBytes()
  if (written !== undefined && before.written !== undefined) {
    figures.push(['written ÷ bytes of the values', (written - before.written) / (COUNT * BYTES)])
  }
  return figures
}

/** Returns what this process has had written to disks so far; only Linux tells. */
function writtenBytes(): number | undefined {
  if (!existsSync('/proc/self/io')) return undefined
  const line = readFileSync('/proc/self/io', 'utf8').match(/^write_bytes: (\d+)$/m)
  return line === null ? undefined : Number(line[1])
}

function ratiosOf(figures: readonly Figure[]): Ratio[] {
  const most: Readonly<Record<string, number>> = {
    'µs of processors a put': 30,
    'stored ÷ bytes of the values': 2,
    'written ÷ bytes of the values': 5,
  }
  return figures
    .filter(({ contender }) => contender === OURS)
    .map(({ what, value }) => ({ of: what, value, target: { atMost: most[what] as number } }))
}
