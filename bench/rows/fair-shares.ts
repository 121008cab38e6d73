import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import {
  createRuntime,
  defineRuntime,
  defineTenant,
  openStore,
  type References,
  type Store,
  withTenant,
} from 'bailiwick'
import type { Conditions, Figure, Finding } from '../finding.ts'
import { median } from '../measure.ts'
import { freshBytes } from '../values.ts'

/** How many calls the tenant that is looked at has under way, and so has an equal neighbour. */
const WIDTH = 8
/** An abuser has so many times as many. */
const TIMES = 100
const WARM_UP_MS = 300
const MEASURED_MS = 1_000
const SMALL = 256
const LARGE = 100_000
/** Of the values of a mixed load, every so many is large. */
const LARGE_EVERY = 20
const MOVED = 1.5
const SHARE = 0.9

type Mix = 'small' | 'mixed'

interface Observed {
  readonly p50: number
  readonly p99: number
  /** Puts a second. */
  readonly rate: number
  /** The other's. */
  readonly otherRate: number
}

/**
 * What a tenant notices of another: alone, beside an equal one, and beside one with a hundred times the load. A closed
 * loop that shares a machine with an equal has half of it, which is its fair share; an abuser may not take more.
 */
export async function fairShares(conditions: Conditions, mix: Mix): Promise<Finding> {
  const folder = join(conditions.folder, `fair-${mix}`)
  mkdirSync(folder)
  const store = await openStore(`sled:${folder}/bailiwick`)
  const victim = await referencesOf(store, 'victim')
  const other = await referencesOf(store, 'other')
  const seen: Record<'alone' | 'equal' | 'abuser', Observed[]> = { alone: [], equal: [], abuser: [] }
  for (let round = 0; round < conditions.rounds; round += 1) {
    seen.alone.push(await beside(victim, other, 0, mix))
    seen.equal.push(await beside(victim, other, WIDTH, mix))
    seen.abuser.push(await beside(victim, other, WIDTH * TIMES, mix))
  }
  await store.close()
  // Round by round, so that what else the machine does meets both.
  const ratio = (what: 'p99' | 'rate') =>
    median(seen.abuser.map((beside, round) => beside[what] / (seen.equal[round]?.[what] ?? Number.NaN)))
  const [alone, equal, abuser] = [middle(seen.alone), middle(seen.equal), middle(seen.abuser)]
  return {
    row: `fair shares, ${mix === 'small' ? `${SMALL} B` : `${SMALL} B, every ${LARGE_EVERY}th ${LARGE} B`}`,
    load: `durable puts, ${WIDTH} in flight; the abuser ${WIDTH * TIMES}; ${conditions.rounds} rounds of ${MEASURED_MS} ms each`,
    figures: [
      ...figures('alone', alone),
      ...figures('beside an equal', equal),
      ...figures('beside an abuser', abuser),
      { contender: 'beside an abuser', what: 'p99 of that alone', value: abuser.p99 / alone.p99 },
    ],
    ratios: [
      { of: 'p99 beside an abuser ÷ beside an equal', value: ratio('p99'), target: { atMost: MOVED } },
      { of: 'puts/s beside an abuser ÷ beside an equal', value: ratio('rate'), target: { atLeast: SHARE } },
    ],
  }
}

async function referencesOf(store: Store, resourceId: string): Promise<References> {
  const spec = withTenant(defineRuntime({ tenant: defineTenant('first', 'v1') }), defineTenant(resourceId, 'v1'))
  return (await createRuntime(spec, { store })).references
}

/** Loads both, waits until that is the normal state, and looks at the first for a while. */
async function beside(victim: References, other: References, width: number, mix: Mix): Promise<Observed> {
  const ended = { yes: false }
  const late: number[] = []
  let others = 0
  let looking = false
  const loads = [
    load(victim, WIDTH, mix, ended, (took) => {
      if (looking) late.push(took)
    }),
    load(other, width, mix, ended, () => {
      if (looking) others += 1
    }),
  ]
  await delay(WARM_UP_MS)
  looking = true
  const start = performance.now()
  await delay(MEASURED_MS)
  const seconds = (performance.now() - start) / 1000
  looking = false
  const rate = late.length / seconds
  ended.yes = true
  await Promise.all(loads)
  const sorted = late.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99), rate, otherRate: others / seconds }
}

/** Puts new values, `width` at a time, until it is ended. */
async function load(
  references: References,
  width: number,
  mix: Mix,
  ended: { readonly yes: boolean },
  took: (milliseconds: number) => void,
): Promise<void> {
  let count = 0
  const lane = async () => {
    while (!ended.yes) {
      count += 1
      const value = freshBytes(mix === 'mixed' && count % LARGE_EVERY === 0 ? LARGE : SMALL)
      const start = performance.now()
      await references.put('sample', value)
      took(performance.now() - start)
    }
  }
  await Promise.all(Array.from({ length: width }, lane))
}

function middle(rounds: readonly Observed[]): Observed {
  const of = (what: keyof Observed) => median(rounds.map((round) => round[what]))
  return { p50: of('p50'), p99: of('p99'), rate: of('rate'), otherRate: of('otherRate') }
}

function figures(contender: string, { p50, p99, rate, otherRate }: Observed): Figure[] {
  return [
    { contender, what: 'p50 ms', value: p50 },
    { contender, what: 'p99 ms', value: p99 },
    { contender, what: 'puts/s', value: rate },
    { contender, what: 'puts/s of the other', value: otherRate },
  ]
}
