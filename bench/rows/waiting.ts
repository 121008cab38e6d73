import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { inChild } from '../children.ts'
import { storedBytes } from '../disk.ts'
import type { Conditions, Finding } from '../finding.ts'
import type { WaitingRuns } from '../waiting-runs.program.ts'

const DAY_MS = 86_400_000
/** The time that a store gets until the runs of it are due, in milliseconds: longer than it takes to fill it. */
const LEAD_MS = 120_000

/** What runs cost that wait, and how late a host takes them up that are due: spread over a time, and all at one moment. */
export async function waitingRuns({ folder, waits }: Conditions): Promise<Finding> {
  const place = (name: string) => join(folder, `waiting-${name}`)
  for (const name of ['none', 'idle', 'spread', 'burst']) mkdirSync(place(name))
  const fill = (name: string, runs: number, tenants: number, first: number, spread: number) =>
    inChild('waiting-runs', ['fill', place(name), `${runs}`, `${tenants}`, `${first}`, `${spread}`])
  const host = (name: string, seconds: number) =>
    inChild<WaitingRuns>('waiting-runs', ['host', place(name), `${seconds}`])
  const tenants = Math.ceil(waits / 10)
  await fill('none', 1, 1, Date.now() + DAY_MS, 0)
  await fill('idle', waits, tenants, Date.now() + DAY_MS, DAY_MS)
  const stored = storedBytes(place('idle')) - storedBytes(place('none'))
  // A host that is started soon after the runs began looks once whether a process still works at them.
  const [none, first, idle] = [await host('none', 10), await host('idle', 10), await host('idle', 10)]
  const some = Math.ceil(waits / 10)
  const due = async (name: string, spread: number) => {
    const first = Date.now() + LEAD_MS
    await fill(name, some, Math.ceil(some / 10), first, spread)
    return await host(name, Math.max(0, first - Date.now()) / 1000 + spread / 1000 + 30)
  }
  const spread = await due('spread', 60_000)
  const burst = await due('burst', 0)
  const contender = 'bailiwick'
  return {
    row: 'runs that wait',
    load: `${waits} runs of ${tenants} tenants on disk, and a host of 10 s; ${some} runs due over a minute, and at one moment; a process for each`,
    figures: [
      { contender, what: 'resident MB of the host, none waits', value: none.after / 1e6 },
      { contender, what: 'resident MB of the host, all wait, the first start', value: first.after / 1e6 },
      { contender, what: 'resident MB of the host, all wait', value: idle.after / 1e6 },
      { contender, what: 'spread: median ms from due to taken', value: at(spread, 0.5) },
      { contender, what: 'spread: runs taken and ended', value: spread.ended },
      { contender, what: 'burst: median ms from due to taken', value: at(burst, 0.5) },
      { contender, what: 'burst: last ms from due to taken', value: at(burst, 1) },
      { contender, what: 'burst: runs taken and ended', value: burst.ended },
    ],
    ratios: [
      { of: 'resident MB above an empty host', value: (idle.after - none.after) / 1e6, target: { atMost: 50 } },
      { of: 'bytes on disk a run', value: stored / waits, target: { atMost: 2048 } },
      { of: 'spread: 99 % of runs, ms from due to taken', value: at(spread, 0.99), target: { atMost: 1000 } },
      { of: 'runs that were not taken', value: 2 * some - spread.ended - burst.ended, target: { atMost: 0 } },
    ],
  }
}

function at({ late }: WaitingRuns, share: number): number {
  return late[Math.min(late.length - 1, Math.floor(late.length * share))] ?? Number.NaN
}
