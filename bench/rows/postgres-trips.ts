import { createRuntime, defineRuntime, defineTenant } from 'bailiwick'
import { inArena } from '../contenders/postgres.ts'
import type { Finding, Ratio } from '../finding.ts'
import { TripCounter } from '../trips.ts'
import { freshBytes } from '../values.ts'

const BYTES = 256
/** Of each call. The fewest trips are its own: at other times events are written as well, or the machine is busy. */
const ITEMS = 25

/** How often a call waits for the server: counted on the wire, not timed. */
export function postgresTrips(): Promise<Finding> {
  return inArena(async ({ url, open, version }) => {
    const counter = await TripCounter.before(url)
    try {
      const spec = defineRuntime({ tenant: defineTenant('acme', 'v1') })
      const { references, cache } = await createRuntime(spec, { store: await open({}, counter.url) })
      const ids: string[] = []
      const calls: { readonly [name: string]: (index: number) => Promise<unknown> } = {
        'put of a new value': async () => ids.push((await references.put('sample', freshBytes(BYTES))).id),
        'set of a key in the cache': (index) => cache.set('key', index),
        resolve: (index) => references.resolve(ids[index] as string),
      }
      const ratios: Ratio[] = []
      for (const [name, call] of Object.entries(calls)) {
        // The first of a tenant makes its keys, and of a connection prepares its statements.
        await call(0)
        const trips: number[] = []
        for (let index = 0; index < ITEMS; index += 1) trips.push(await counter.during(() => call(index)))
        const atMost = name === 'resolve' ? 1 : 2
        ratios.push({ of: `trips for a ${name}`, value: Math.min(...trips), target: { atMost } })
      }
      return {
        row: 'PostgreSQL, trips to the server',
        load: `${ITEMS} of each call, one at a time, values of ${BYTES} B; PostgreSQL ${version}`,
        figures: [],
        ratios,
      }
    } finally {
      counter.close()
    }
  })
}
