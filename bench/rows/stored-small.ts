import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { inChild } from '../children.ts'
import { storedBytes } from '../disk.ts'
import type { Conditions, Figure, Finding, Ratio } from '../finding.ts'
import type { SmallValues } from '../small-values.program.ts'

const BYTES = 256
const WIDTH = 256
const OURS = 'bailiwick'
const CONTENDERS = [OURS, 'better-sqlite3, FULL', 'lmdb, flushed']

/** What we want of each of our figures, at most. */
const MOST: Readonly<Record<string, number>> = {
  'µs of processors a put': 30,
  'last tenth ÷ first, µs': 1.1,
  'last tenth ÷ first, processors': 1.1,
  'resident MB': 250,
  'stored ÷ bytes of the values': 2,
  'written ÷ bytes of the values': 5,
}

/** What many small values cost, whether late ones cost what early ones do, and what they leave on disk and in memory. */
export async function storedSmallValues(conditions: Conditions): Promise<Finding> {
  const count = Math.ceil(conditions.puts / 10) * 10
  const folder = join(conditions.folder, 'stored-small')
  mkdirSync(folder)
  const figures: Figure[] = []
  for (const contender of CONTENDERS) {
    const path = join(folder, String(figures.length))
    const found = await inChild<SmallValues | null>('small-values', [
      contender,
      path,
      `${count}`,
      `${BYTES}`,
      `${WIDTH}`,
    ])
    if (found !== null) figures.push(...figuresOf(contender, found, path, count * BYTES))
  }
  return {
    row: 'many small values',
    load: `${count} random values of ${BYTES} B, ${WIDTH} in flight; a process for each contender; SQLite WAL, one put a transaction`,
    figures,
    ratios: ratiosOf(figures),
  }
}

function figuresOf(contender: string, found: SmallValues, path: string, bytes: number): Figure[] {
  const { all, first, last, resident, written } = found
  const figures: [string, number][] = [
    ['µs a put', all.wall],
    ['µs of processors a put', all.processors],
    ['last tenth ÷ first, µs', last.wall / first.wall],
    ['last tenth ÷ first, processors', last.processors / first.processors],
    ['resident MB', resident / 1e6],
    ['stored ÷ bytes of the values', storedBytes(path) / bytes],
  ]
  if (written !== undefined) figures.push(['written ÷ bytes of the values', written / bytes])
  return figures.map(([what, value]) => ({ contender, what, value }))
}

function ratiosOf(figures: readonly Figure[]): Ratio[] {
  return figures.flatMap(({ contender, what, value }) => {
    const atMost = MOST[what]
    return contender === OURS && atMost !== undefined ? [{ of: what, value, target: { atMost } }] : []
  })
}
