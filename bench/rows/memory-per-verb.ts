import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { inChild } from '../children.ts'
import type { Conditions, Finding } from '../finding.ts'
import { type Filled, verbs } from '../memory-verbs.ts'

const MIB = 1 << 20
const LIMIT = 24 * MIB
const BOUND = 2 * LIMIT + 64 * MIB

interface Grown {
  readonly grown: number
  readonly answered: number
  readonly refused: number
}

/** What each verb takes when 32 calls of it come at once, for a tenant with little `inFlightBytes` and much data. */
export async function memoryPerVerb({ folder }: Conditions): Promise<Finding> {
  const place = join(folder, 'memory')
  mkdirSync(place, { recursive: true })
  const url = `sled:${join(place, 'store')}`
  const filled = await inChild<Filled>('memory-fill', [url])
  const figures: { contender: string; what: string; value: number }[] = []
  for (const verb of verbs) {
    const { grown, answered, refused } = await inChild<Grown>('memory-verb', [
      url,
      `${LIMIT}`,
      verb,
      JSON.stringify(filled),
    ])
    figures.push({
      contender: verb,
      what: `MiB more at most; ${answered} answered, ${refused} refused`,
      value: grown / MIB,
    })
  }
  return {
    row: 'memory of each verb',
    load: `a process for each: 3 × 32 calls at once of a tenant with ${LIMIT / MIB} MiB in flight and ${BOUND / MIB} MiB allowed`,
    figures,
    ratios: [
      {
        of: 'MiB more at most, of the verb that takes most',
        value: Math.max(...figures.map(({ value }) => value)),
        target: { atMost: BOUND / MIB },
      },
    ],
  }
}
