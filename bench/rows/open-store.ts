import { join } from 'node:path'
import { inChild } from '../children.ts'
import { storedBytes } from '../disk.ts'
import type { Conditions, Figure, Finding } from '../finding.ts'

interface Opened {
  readonly opened: number
  readonly first: number
  readonly resident: number
}

/** Enough to fill the write-ahead log. */
const AFTER_KILL = 100_000

/** How long a store with many records takes to open: after a clean close, then after a kill. */
export async function openLargeStore(conditions: Conditions): Promise<Finding> {
  const folder = join(conditions.folder, 'open')
  const url = `sled:${folder}`
  const { id } = await inChild<{ id: string }>('fill-store', [url, `${conditions.openRecords}`, 'close'])
  const closed = await inChild<Opened>('open-store', [url, id])
  const again = await inChild<Opened>('open-store', [url, id])
  await inChild('fill-store', [url, `${AFTER_KILL}`, 'stay'], { kill: true })
  const killed = await inChild<Opened>('open-store', [url, id])
  const figures = (contender: string, run: Opened): Figure[] => [
    { contender, what: 'opened s', value: run.opened / 1000 },
    { contender, what: 'first value s', value: run.first / 1000 },
    { contender, what: 'resident MB', value: run.resident / 1e6 },
  ]
  return {
    row: `open with ${conditions.openRecords} records`,
    load: `values of 256 B of one tenant; killed by SIGKILL after ${AFTER_KILL} more were written`,
    figures: [
      ...figures('after a clean close', closed),
      ...figures('again', again),
      ...figures('after a kill', killed),
      { contender: 'bailiwick', what: 'stored MB', value: storedBytes(folder) / 1e6 },
    ],
    ratios: [
      { of: 'seconds to open after a clean close', value: closed.opened / 1000, target: { atMost: 0.1 } },
      { of: 'seconds to open after a kill', value: killed.opened / 1000, target: { atMost: 1 } },
    ],
  }
}
