import { inChild } from '../children.ts'
import type { Finding } from '../finding.ts'
import { median } from '../measure.ts'

const HANDLES = 100_000
const RUNS = 3

/** What a runtime handle costs that does nothing. */
export async function idleHandle(): Promise<Finding> {
  const runs: { microseconds: number; bytes: number; resident: number }[] = []
  for (let run = 0; run < RUNS; run += 1) runs.push(await inChild('idle-handles', [`${HANDLES}`]))
  const bytes = median(runs.map((run) => run.bytes))
  const microseconds = median(runs.map((run) => run.microseconds))
  const contender = 'bailiwick'
  return {
    row: 'an idle runtime handle',
    load: `${HANDLES} tenants of one topology in a process of their own, ${RUNS} runs`,
    figures: [
      { contender, what: 'resident MB in all', value: median(runs.map((run) => run.resident)) / 1e6 },
      { contender, what: 'minimum µs', value: Math.min(...runs.map((run) => run.microseconds)) },
    ],
    ratios: [
      { of: 'resident bytes a handle', value: bytes, target: { atMost: 4096 } },
      { of: 'µs a handle, withTenant and createRuntime', value: microseconds, target: { atMost: 50 } },
    ],
  }
}
