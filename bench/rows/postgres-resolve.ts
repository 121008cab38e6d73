import { createRuntime, defineRuntime, defineTenant } from 'bailiwick'
import { CONNECTIONS, inArena } from '../contenders/postgres.ts'
import type { Conditions, Finding } from '../finding.ts'
import { inFlight } from '../in-flight.ts'
import { type Contender, interleaved } from '../measure.ts'
import { figuresOf, ratioOf } from '../ratios.ts'
import { manyBytes, shuffled } from '../values.ts'

const OURS = 'bailiwick resolve'
const RIVAL = 'node-postgres select'
const PREPARED = 'node-postgres select, prepared'
const BYTES = 256
const KEYS = 10_000
const WRITERS = 256

/** Reads values of one tenant from a PostgreSQL server, none of which is kept in this process. */
export function postgresResolve(conditions: Conditions, width: number, items: number): Promise<Finding> {
  return inArena(async ({ open, rival, version }) => {
    const spec = defineRuntime({ tenant: defineTenant('acme', 'v1') })
    const { references } = await createRuntime(spec, { store: await open({ openedCacheBytes: 0 }) })
    const ids: string[] = []
    const values = manyBytes(KEYS, BYTES)
    await inFlight(KEYS, WRITERS, async (index) => {
      const { id } = await references.put('sample', values[index] as Uint8Array)
      ids[index] = id
      await rival.put('acme', id, values[index] as Uint8Array, true)
    })
    const order = shuffled(KEYS)
    const contender = (name: string, get: (id: string) => Promise<Uint8Array>): Contender => ({
      name,
      items,
      round: async (round) => {
        let sum = 0
        await inFlight(items, width, async (index) => {
          const bytes = await get(ids[order[((round + 1) * items + index) % KEYS] as number] as string)
          sum += bytes.length + (bytes[7] as number)
        })
        return sum
      },
    })
    const contenders: Contender[] = [
      contender(OURS, async (id) => (await references.resolve(id)).bytes),
      contender(RIVAL, (id) => rival.get('acme', id, false)),
      contender(PREPARED, (id) => rival.get('acme', id, true)),
    ]
    const timings = await interleaved(contenders, conditions.rounds)
    return {
      row: `PostgreSQL resolve, ${width === 1 ? 'one at a time' : `${width} in flight`}`,
      load: `${items} of ${KEYS} values of ${BYTES} B a round, ${conditions.rounds} rounds; PostgreSQL ${version}, ${CONNECTIONS} connections each`,
      figures: figuresOf(timings),
      ratios: [...ratioOf(timings, RIVAL, OURS, { atLeast: 1 }), ...ratioOf(timings, PREPARED, OURS, { atLeast: 1 })],
    }
  })
}
