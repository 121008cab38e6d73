import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { Pool } from 'pg'
import { type Place, startRun } from './killing.ts'

const CALLS = 'fsync,fdatasync,msync,sync_file_range'

/**
 * Counts the syncs of a step: those of a run of twice as many steps less those of a run of `steps`, and less the one of the
 * tool. strace counts those of the process, PostgreSQL its own. Returns nothing where strace is not installed or may not trace.
 */
export async function syncsPerStep(newPlace: (steps: number) => Place, steps: number): Promise<number | undefined> {
  const isTracing = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0
  const counts: number[] = []
  for (const place of [newPlace(steps), newPlace(2 * steps)]) {
    const isPostgres = place.contender.keeps === 'postgres'
    if (!isPostgres && !isTracing) return undefined
    const trace = `${place.world}.strace`
    const before = isPostgres ? await syncsOfServer(place.place) : 0
    const child = startRun(place, isPostgres ? [] : ['strace', '-f', '-qq', '-c', '-e', `trace=${CALLS}`, '-o', trace])
    child.stdout.resume()
    await once(child, 'exit')
    counts.push(isPostgres ? (await syncsOfServer(place.place)) - before : syncsOfTrace(trace) - place.steps)
  }
  const [few = 0, many = 0] = counts
  return Math.max(0, many - few) / steps
}

/** Adds the column `calls` of strace's summary: the fourth; `errors` may follow. */
function syncsOfTrace(file: string): number {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
  const syncs = lines
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => CALLS.split(',').includes(words.at(-1) ?? ''))
  return syncs.reduce((sum, words) => sum + Number(words[3]), 0)
}

/** The syncs of the write-ahead log so far. */
async function syncsOfServer(url: string): Promise<number> {
  const pool = new Pool({ connectionString: url.replace(/\/[^/]*$/, '/postgres') })
  // A connection that has just been closed reports what it did.
  await wait(1500)
  const { rows } = await pool.query(
    "select coalesce(sum(fsyncs), 0)::int as syncs from pg_stat_io where object = 'wal'",
  )
  await pool.end()
  return rows[0].syncs
}
