import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { inChild } from '../children.ts'
import { shortContenders, WIDTH } from '../contenders/short/all.ts'
import type { Conditions, Figure, Finding, Ratio } from '../finding.ts'
import { nodeFor } from '../killing.ts'
import { median } from '../measure.ts'
import { withDatabases } from '../postgres-databases.ts'
import type { Settled } from '../settled.program.ts'
import type { ShortRuns } from '../short-runs.program.ts'

const MOST_ROUNDS = 3
/** How long runs are started one after the other, and with many in flight. */
const TIME_MS = 5_000
const SETTLED = 200
const OURS = 'bailiwick'

/** What a run of three trivial steps takes from accepted to completed, and how soon a settled run is at work again. */
export async function shortRuns(conditions: Conditions): Promise<Finding> {
  const rounds = Math.min(MOST_ROUNDS, conditions.rounds)
  const found = new Map<string, ShortRuns[]>(shortContenders.map(({ name }) => [name, []]))
  const folderOf = (name: string) => {
    const folder = join(conditions.folder, 'short', name)
    mkdirSync(folder, { recursive: true })
    return folder
  }
  await withDatabases(shortContenders, async (newDatabase) => {
    for (let round = 0; round < rounds; round += 1) {
      for (const contender of shortContenders) {
        const { name, keeps } = contender
        const node = nodeFor(contender)
        if (node === undefined) continue
        const place = keeps === 'postgres' ? newDatabase() : folderOf(`${round}-${name}`)
        const sizes = [TIME_MS, WIDTH].map(String)
        found.get(name)?.push(await inChild<ShortRuns>('short-runs', [name, place, ...sizes], { node }))
      }
    }
  })
  const settled = await inChild<Settled>('settled', [folderOf('settled'), `${SETTLED}`])
  const aloneOf = (name: string) => median((found.get(name) ?? []).flatMap(({ alone }) => alone))
  const perSecondOf = (name: string) => median((found.get(name) ?? []).map(({ perSecond }) => perSecond))
  const figures: Figure[] = [...found].flatMap(([contender, runs]) => [
    { contender, what: 'median ms alone', value: aloneOf(contender) },
    { contender, what: 'minimum ms alone', value: Math.min(...runs.flatMap(({ alone }) => alone)) },
    { contender, what: `runs a second, ${WIDTH} in flight`, value: perSecondOf(contender) },
  ])
  figures.push({ contender: OURS, what: 'minimum ms from settling to running', value: Math.min(...settled.took) })
  const ratios: Ratio[] = shortContenders
    .filter(({ name }) => name.startsWith(OURS))
    .flatMap(({ name }) => [
      { of: `median ms alone, ${name}`, value: aloneOf(name), target: { atMost: 2.5 } },
      { of: `runs a second, ${WIDTH} in flight, ${name}`, value: perSecondOf(name), target: { atLeast: 3_000 } },
    ])
  ratios.push({ of: 'median ms from settling to running', value: median(settled.took), target: { atMost: 2 } })
  return {
    row: 'a run of three trivial steps',
    load: `one after the other for ${TIME_MS / 1000} s, then ${WIDTH} in flight for as long; a process for each contender; ${rounds} rounds; ${SETTLED} waits settled`,
    figures,
    ratios,
  }
}
