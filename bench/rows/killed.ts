import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { killable } from '../contenders/durable/all.ts'
import type { DurableContender } from '../contenders/durable/task.ts'
import type { Conditions, Figure, Finding, Ratio } from '../finding.ts'
import { inFlight } from '../in-flight.ts'
import { type Budget, killedRun, nodeFor, type Place, type Tally } from '../killing.ts'
import { median } from '../measure.ts'
import { withDatabases } from '../postgres-databases.ts'
import { syncsPerStep } from '../syncs.ts'

const STEPS = 20
/** Runs at once: most of the time of some contenders is the wait for a lease to expire. */
const WIDTH = 8
const OURS = 'bailiwick'

/** A run of write tools whose process is killed at random points and started again. */
export async function killed(conditions: Conditions): Promise<Finding> {
  const figures: Figure[] = []
  const ratios: Ratio[] = []
  await withDatabases(killable, async (newDatabase) => {
    for (const contender of killable) {
      if (nodeFor(contender) === undefined) {
        console.log(`left out: ${contender.name} needs Node ${contender.node}`)
        continue
      }
      let places = 0
      const newPlace = (steps: number): Place => {
        places += 1
        const folder = join(conditions.folder, 'killed', contender.name, `${places}`)
        mkdirSync(folder, { recursive: true })
        const place = contender.keeps === 'postgres' ? newDatabase() : join(folder, 'data')
        if (contender.keeps === 'folder') mkdirSync(place)
        return { contender, place, world: join(folder, 'world'), steps }
      }
      const syncs = await syncsPerStep(newPlace, STEPS)
      if (syncs !== undefined) figures.push({ contender: contender.name, what: 'syncs a step', value: syncs })
      const found = await killAll(contender, newPlace, conditions.kills)
      figures.push(...found)
      if (contender.name.startsWith(OURS)) ratios.push(...ratiosOf(contender, found))
    }
  })
  return {
    row: `killed ${conditions.kills} times`,
    load: `runs of ${STEPS} steps, each with a call that writes; ${WIDTH} runs at once; SIGKILL at random points`,
    figures,
    ratios,
  }
}

async function killAll(contender: DurableContender, newPlace: (steps: number) => Place, kills: number) {
  const budget: Budget = { left: kills }
  const tallies: Tally[] = []
  const start = performance.now()
  await inFlight(WIDTH, WIDTH, async () => {
    while (budget.left > 0) tallies.push(await killedRun(newPlace(STEPS), budget))
  })
  const seconds = (performance.now() - start) / 1000
  const sum = (of: (tally: Tally) => number) => tallies.reduce((sum, tally) => sum + of(tally), 0)
  const stuck = tallies.filter(({ status }) => status !== 'completed')
  for (const status of new Set(stuck.map(({ status }) => status))) console.log(`${contender.name}: ${status}`)
  const figures: [string, number][] = [
    ['kills', kills - Math.max(0, budget.left)],
    ['runs', tallies.length],
    ['runs stuck', stuck.length],
    ['calls made twice', sum(({ twice }) => twice)],
    ['of these, with another key', sum(({ otherKey }) => otherKey)],
    ['calls lost', sum(({ lost }) => lost)],
    ['times a person was asked', sum(({ asked }) => asked)],
    ['restarts', sum(({ restarts }) => restarts)],
    ['median s until a run goes on', median(tallies.flatMap(({ resumed }) => resumed)) / 1000],
    ['s in all', seconds],
  ]
  return figures.map(([what, value]) => ({ contender: contender.name, what, value }))
}

function ratiosOf({ name }: DurableContender, found: readonly Figure[]): Ratio[] {
  const none = ['runs stuck', 'of these, with another key', 'calls lost']
  // What a tool with `retry` promises is one key a call.
  if (name.endsWith('ask')) none.push('calls made twice')
  return found
    .filter(({ what }) => none.includes(what))
    .map(({ what, value }) => ({ of: `${what}, ${name}`, value, target: { atMost: 0 } }))
}
