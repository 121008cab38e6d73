import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { inChild } from '../children.ts'
import { longRunning } from '../contenders/durable/all.ts'
import type { DurableContender } from '../contenders/durable/task.ts'
import type { Conditions, Figure, Finding, Ratio } from '../finding.ts'
import type { Flat } from '../flat.program.ts'
import { nodeFor } from '../killing.ts'
import { median } from '../measure.ts'
import { withDatabases } from '../postgres-databases.ts'

const LOOKS = [10, 100, 1_000, 5_000]
const STEPS = 5_000
/** Each in a process of its own. */
const MOST_ROUNDS = 3
const OURS = 'bailiwick'

/** Whether a late step of a long run costs what an early one does. */
export async function flat(conditions: Conditions): Promise<Finding> {
  const figures: Figure[] = []
  const ratios: Ratio[] = []
  const rounds = Math.min(MOST_ROUNDS, conditions.rounds)
  await withDatabases(longRunning, async (newDatabase) => {
    for (const contender of longRunning) {
      const node = nodeFor(contender)
      if (node === undefined) {
        console.log(`left out: ${contender.name} needs Node ${contender.node}`)
        continue
      }
      const found: Flat[] = []
      for (let round = 0; round < rounds; round += 1) {
        const newPlace = (name: string) => {
          if (contender.keeps === 'memory') return ''
          if (contender.keeps === 'postgres') return newDatabase()
          const folder = join(conditions.folder, 'flat', contender.name, `${round}`, name)
          mkdirSync(folder, { recursive: true })
          return folder
        }
        const steps = `${contender.mostSteps ?? STEPS}`
        const sizes = [steps, `${conditions.flatSeconds}`, ...LOOKS.map(String)]
        found.push(
          await inChild<Flat>('flat', [contender.name, newPlace('long'), newPlace('warm'), ...sizes], { node }),
        )
      }
      const costs = costsOf(contender, found)
      figures.push(...costs.figures)
      if (contender.name.startsWith(OURS) && costs.ratio !== undefined) ratios.push(costs.ratio)
    }
  })
  return {
    row: 'a late step of a long run',
    load: `one run of ${STEPS} steps in a process of its own, after a short one; at most ${conditions.flatSeconds} s; ${rounds} rounds`,
    figures,
    ratios,
  }
}

function costsOf({ name }: DurableContender, found: readonly Flat[]): { figures: Figure[]; ratio: Ratio | undefined } {
  const short = found.find(({ status }) => status !== 'completed')
  if (short !== undefined) console.log(`${name}: ${short.status}, at step ${short.reached}`)
  const costAt = (look: number) =>
    found.flatMap(({ costs }) => costs.filter(([step]) => step === look).map(([, microseconds]) => microseconds))
  const reached = LOOKS.filter((look) => costAt(look).length > 0)
  const figures: Figure[] = reached.flatMap((look) => [
    { contender: name, what: `median µs a step at step ${look}`, value: median(costAt(look)) },
    { contender: name, what: `minimum µs a step at step ${look}`, value: Math.min(...costAt(look)) },
  ])
  const [early, late] = [reached[0], reached.at(-1)]
  if (early === undefined || late === undefined || early === late) return { figures, ratio: undefined }
  const value = median(costAt(late)) / median(costAt(early))
  figures.push({ contender: name, what: `step ${late} ÷ step ${early}`, value })
  return { figures, ratio: { of: `step ${late} ÷ step ${early}, ${name}`, value, target: { atMost: 1.1 } } }
}
