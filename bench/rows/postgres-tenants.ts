import { createRuntime, defineRuntime, defineTenant, type References, withTenant } from 'bailiwick'
import { CONNECTIONS, inArena } from '../contenders/postgres.ts'
import type { Conditions, Figure, Finding } from '../finding.ts'
import { inFlight } from '../in-flight.ts'
import { type Contender, interleaved, median } from '../measure.ts'
import { figuresOf } from '../ratios.ts'
import { freshBytes } from '../values.ts'

const MANY = 'bailiwick, 1,000 tenants'
const FLOODED = 'bailiwick, 1,000 tenants, one with 1,000 in flight'
const ONE = 'bailiwick, one tenant'
const RIVAL = 'node-postgres, 1,000 tenants'
const BYTES = 256
const TENANTS = 1_000
/** How many puts the one tenant has in flight. */
const WIDTH = 64
const ITEMS = 5_000
const SHARE = 0.5

type Put = (tenant: number) => Promise<unknown>

/** A thousand tenants with one put in flight each, on a few connections: what is served, and how evenly. */
export function postgresTenants(conditions: Conditions): Promise<Finding> {
  return inArena(async ({ open, rival, version }) => {
    const store = await open()
    const spec = defineRuntime({ tenant: defineTenant('first', 'v1') })
    const tenants: References[] = []
    for (let tenant = 0; tenant < TENANTS; tenant += 1) {
      const runtime = await createRuntime(withTenant(spec, defineTenant(`tenant ${tenant}`, 'v1')), { store })
      tenants.push(runtime.references)
    }
    const ours: Put = (tenant) => (tenants[tenant] as References).put('sample', freshBytes(BYTES))
    // Their keys are made first.
    await inFlight(TENANTS, WIDTH, ours)
    const served = new Map<string, number[]>()
    const contender = (name: string, lanes: readonly number[], put: Put): Contender => {
      const counts = Array.from({ length: TENANTS }, () => 0)
      served.set(name, counts)
      return { name, items: ITEMS, round: () => serve(lanes, put, counts) }
    }
    const each = Array.from({ length: TENANTS }, (_, tenant) => tenant)
    const flood = Array.from({ length: TENANTS }, () => 0)
    let key = 0
    const theirs: Put = (tenant) => {
      key += 1
      return rival.put(`tenant ${tenant}`, `key ${key}`, freshBytes(BYTES), true)
    }
    const timings = await interleaved(
      [
        contender(MANY, each, ours),
        contender(FLOODED, [...flood, ...each], ours),
        contender(
          ONE,
          Array.from({ length: WIDTH }, () => 0),
          ours,
        ),
        contender(RIVAL, each, theirs),
      ],
      conditions.rounds,
    )
    const shareOf = (name: string) => fewest(served.get(name) ?? [])
    const rateOf = (name: string) => 1 / (timings.get(name)?.median ?? Number.NaN)
    const shares: Figure[] = [MANY, FLOODED, RIVAL].map((contender) => ({
      contender,
      what: "the least served tenant's share of the median's",
      value: shareOf(contender),
    }))
    return {
      row: `PostgreSQL, ${TENANTS} tenants on ${CONNECTIONS} connections`,
      load: `${ITEMS} new values of ${BYTES} B a round, ${conditions.rounds} rounds; one in flight for each tenant, ${WIDTH} for the one; PostgreSQL ${version}`,
      figures: [
        ...figuresOf(timings),
        ...shares,
        { contender: MANY, what: "of the one tenant's puts/s", value: rateOf(MANY) / rateOf(ONE) },
        { contender: MANY, what: "of node-postgres' puts/s", value: rateOf(MANY) / rateOf(RIVAL) },
      ],
      ratios: [MANY, FLOODED].map((name) => ({
        of: `the least served ÷ the median, ${name}`,
        value: shareOf(name),
        target: { atLeast: SHARE },
      })),
    }
  })
}

/** Each lane puts for its tenant, one after the other, until enough are under way. */
async function serve(lanes: readonly number[], put: Put, counts: number[]): Promise<number> {
  let left = ITEMS
  const lane = async (tenant: number) => {
    while (left > 0) {
      left -= 1
      await put(tenant)
      counts[tenant] = (counts[tenant] ?? 0) + 1
    }
  }
  await Promise.all(lanes.map(lane))
  return ITEMS
}

/** The least served tenant's share of what the one in the middle got. */
function fewest(counts: readonly number[]): number {
  return Math.min(...counts) / median(counts)
}
