import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { AtOnce } from '../agents-at-once.program.ts'
import { inChild } from '../children.ts'
import { storedBytes } from '../disk.ts'
import type { Conditions, Figure, Finding, Ratio } from '../finding.ts'
import { LAG_LIMIT_MS, lagFigures } from '../lag.ts'

const TENANTS = 20
const BYTES = 100_000
const STEPS = 50
/** Whose step costs more the later it is is given fewer: 50 would take minutes and gigabytes. */
const FEW_STEPS = 10

const OWN = ['bailiwick, sled:, text', 'bailiwick, sled:, JSON']
const CONTENDERS: readonly (readonly [name: string, steps: number])[] = [
  ...OWN.map((name) => [name, STEPS] as const),
  ['LangGraph.js without a saver', STEPS],
  ['LangGraph.js, MemorySaver', FEW_STEPS],
  ['LangGraph.js, MemorySaver, MessagesDeltaValue', FEW_STEPS],
  ['LangGraph.js, SqliteSaver', FEW_STEPS],
  ['LangGraph.js, SqliteSaver, MessagesDeltaValue', FEW_STEPS],
  ['OpenAI Agents JS', FEW_STEPS],
  ['nothing going on', 1],
]

/** Agents of many tenants at once: how late the event loop is, and what the process holds, over what the results are. */
export async function agentsAtOnce(conditions: Conditions): Promise<Finding> {
  const figures: Figure[] = []
  const ratios: Ratio[] = []
  for (const [contender, steps] of CONTENDERS) {
    const folder = join(conditions.folder, `at-once-${figures.length}`)
    mkdirSync(folder)
    const parameters = [contender, folder, `${TENANTS}`, `${steps}`, `${BYTES}`]
    const found = await inChild<AtOnce | null>('agents-at-once', parameters)
    if (found === null) continue
    figures.push(...lagFigures(contender, found.lag))
    if (contender === 'nothing going on') continue
    const live = TENANTS * steps * BYTES
    const resident = found.resident / live
    figures.push(
      { contender, what: 'ms a step of all', value: (found.seconds * 1000) / steps },
      { contender, what: 'resident MB', value: found.resident / 1e6 },
      { contender, what: 'resident ÷ results', value: resident },
      { contender, what: 'stored MB', value: storedBytes(folder) / 1e6 },
    )
    if (!OWN.includes(contender)) continue
    ratios.push(
      {
        of: `p99 of a timer’s lag, ms, ${contender}`,
        value: found.lag.histogram.p99,
        target: { atMost: LAG_LIMIT_MS },
      },
      { of: `p99 of the probe’s lag, ms, ${contender}`, value: found.lag.probe.p99, target: { atMost: LAG_LIMIT_MS } },
      { of: `resident ÷ results, ${contender}`, value: resident, target: { atMost: 2 } },
    )
  }
  return {
    row: `agents of ${TENANTS} tenants at once`,
    load: `${TENANTS} runs of ${STEPS} steps, ${FEW_STEPS} where a late step costs more; a result of ${BYTES} B a step`,
    figures,
    ratios,
  }
}
