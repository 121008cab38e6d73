import { createRuntime, defineRuntime, defineTenant } from 'bailiwick'
import { CONNECTIONS, inArena } from '../contenders/postgres.ts'
import type { Conditions, Finding } from '../finding.ts'
import { inFlight } from '../in-flight.ts'
import { type Contender, interleaved } from '../measure.ts'
import { figuresOf, ratioOf } from '../ratios.ts'
import { manyBytes } from '../values.ts'

const OURS = 'bailiwick put'
const RIVAL = 'node-postgres upsert'
const PREPARED = 'node-postgres upsert, prepared'
const BYTES = 256

/** Writes new values of one tenant to a PostgreSQL server; each counts when the server has committed it. */
export function postgresPut(conditions: Conditions, width: number, items: number): Promise<Finding> {
  return inArena(async ({ open, rival, version }) => {
    const spec = defineRuntime({ tenant: defineTenant('acme', 'v1') })
    const { references } = await createRuntime(spec, { store: await open() })
    let values: Uint8Array[] = []
    const contender = (name: string, put: (round: number, index: number, value: Uint8Array) => Promise<unknown>) => ({
      name,
      items,
      prepare: () => {
        values = manyBytes(items, BYTES)
      },
      round: async (round: number) => {
        await inFlight(items, width, (index) => put(round, index, values[index] as Uint8Array))
        return items
      },
    })
    const keyOf = (round: number, index: number, name: string) => `ref_${name}_${round}_${index}_${'k'.repeat(16)}`
    const contenders: Contender[] = [
      contender(OURS, (_round, _index, value) => references.put('sample', value)),
      contender(RIVAL, (round, index, value) => rival.put('acme', keyOf(round, index, 'text'), value, false)),
      contender(PREPARED, (round, index, value) => rival.put('acme', keyOf(round, index, 'prepared'), value, true)),
    ]
    const timings = await interleaved(contenders, conditions.rounds)
    const target = { atLeast: width === 1 ? 1 : 2 }
    return {
      row: `PostgreSQL put, ${width === 1 ? 'one at a time' : `${width} in flight`}`,
      load: `${items} new values of ${BYTES} B a round, ${conditions.rounds} rounds; PostgreSQL ${version}, ${CONNECTIONS} connections each`,
      figures: figuresOf(timings),
      ratios: [...ratioOf(timings, RIVAL, OURS, target), ...ratioOf(timings, PREPARED, OURS, target)],
    }
  })
}
