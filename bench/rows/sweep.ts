import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { createRuntime, defineRuntime, defineTenant, openStore, type References, withTenant } from 'bailiwick'
import { storedBytes } from '../disk.ts'
import type { Conditions, Finding } from '../finding.ts'
import { freshBytes } from '../values.ts'
import { fill } from './erase.ts'

const EXPIRED = 100_000
/** Longer than it takes to write them. */
const TTL_MS = 45_000
const WIDTH = 8
const ALONE_MS = 4_000
const BYTES = 256
const MOVED = 2
const SETTLES_MS = 30_000

/** What another tenant notices of a sweep of many expired records, and what becomes of their space. */
export async function sweepExpired(conditions: Conditions): Promise<Finding> {
  const directory = join(conditions.folder, 'sweep')
  mkdirSync(directory)
  const place = join(directory, 'bailiwick')
  const store = await openStore(`sled:${place}`)
  const spec = defineRuntime({ tenant: defineTenant('expiring', 'v1') })
  const expiring = await createRuntime(spec, { store })
  const other = (await createRuntime(withTenant(spec, defineTenant('other', 'v1')), { store })).references
  const filled = performance.now()
  await fill(expiring, EXPIRED, TTL_MS)
  const took = performance.now() - filled
  const alone = await during(other, delay(ALONE_MS))
  await delay(Math.max(0, TTL_MS - (performance.now() - filled) + took + 100))
  const before = storedBytes(place)
  const start = performance.now()
  let removed = 0
  const sweep = store.sweep().then((swept) => {
    removed = swept.removed
  })
  const beside = await during(other, sweep)
  const seconds = (performance.now() - start) / 1000
  const after = await leastStored(place)
  await store.close()
  return {
    row: 'sweep of expired records',
    load: `${EXPIRED} references of ${BYTES} B with two list rows each, beside durable puts of another tenant, ${WIDTH} in flight`,
    figures: [
      { contender: 'alone', what: 'p99 ms', value: alone },
      { contender: 'beside the sweep', what: 'p99 ms', value: beside },
      { contender: 'sweep', what: 'rows removed', value: removed },
      { contender: 'sweep', what: 'seconds', value: seconds },
      { contender: 'sweep', what: 'stored bytes before', value: before },
      { contender: 'sweep', what: 'stored bytes afterwards', value: after },
    ],
    ratios: [
      { of: 'p99 beside the sweep ÷ alone', value: beside / alone, target: { atMost: MOVED } },
      { of: 'stored bytes after ÷ before', value: after / before, target: { atMost: 0.9 } },
    ],
  }
}

/** The least that is stored within a while: the engine gives space back by and by. */
async function leastStored(place: string): Promise<number> {
  let least = storedBytes(place)
  for (let waited = 0; waited < SETTLES_MS; waited += 1000) {
    await delay(1000)
    least = Math.min(least, storedBytes(place))
  }
  return least
}

/** The 99th percentile of puts while something goes on, in milliseconds. */
async function during(references: References, work: Promise<unknown>): Promise<number> {
  const took: number[] = []
  let isOver = false
  const lane = async () => {
    while (!isOver) {
      const start = performance.now()
      await references.put('sample', freshBytes(BYTES))
      took.push(performance.now() - start)
    }
  }
  const lanes = Array.from({ length: WIDTH }, lane)
  await work
  isOver = true
  await Promise.all(lanes)
  const sorted = took.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN
}
