// Compares bailiwick with its rivals and prints the ratios. Rows run one after the other, the contenders of a row in turn.
// Options: see bench/README.md.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { loadRivals } from './contenders/rivals.ts'
import type { Conditions, Finding } from './finding.ts'
import { printFinding, printSummary, printVersions } from './print.ts'
import { writeResults } from './results.ts'
import { agentsAtOnce } from './rows/agents-at-once.ts'
import { durablePut } from './rows/durable-put.ts'
import { eraseTenant } from './rows/erase.ts'
import { fairShares } from './rows/fair-shares.ts'
import { flat } from './rows/flat.ts'
import { heavyNeighbours } from './rows/heavy-neighbours.ts'
import { hotResolve } from './rows/hot-resolve.ts'
import { idleHandle } from './rows/idle-handle.ts'
import { killed } from './rows/killed.ts'
import { ledger } from './rows/ledger.ts'
import { loopLag } from './rows/loop-lag.ts'
import { loopBytes, loopSteps } from './rows/loop-steps.ts'
import { memoryPerVerb } from './rows/memory-per-verb.ts'
import { modelDeltas } from './rows/model-deltas.ts'
import { openLargeStore } from './rows/open-store.ts'
import { postgresPut } from './rows/postgres-put.ts'
import { postgresResolve } from './rows/postgres-resolve.ts'
import { postgresTenants } from './rows/postgres-tenants.ts'
import { postgresTrips } from './rows/postgres-trips.ts'
import { shortRuns } from './rows/short-runs.ts'
import { storedLargeValues } from './rows/stored-bytes.ts'
import { storedSmallValues } from './rows/stored-small.ts'
import { sweepExpired } from './rows/sweep.ts'
import { waitingRuns } from './rows/waiting.ts'

const { values } = parseArgs({
  options: {
    long: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    keys: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '7' },
    'open-records': { type: 'string', default: '' },
    'ledger-records': { type: 'string', default: '' },
    puts: { type: 'string', default: '' },
    kills: { type: 'string', default: '' },
    waits: { type: 'string', default: '100000' },
    'flat-seconds': { type: 'string', default: '120' },
    output: { type: 'string', default: 'latest' },
    folder: { type: 'string', default: tmpdir() },
  },
})

const folder = mkdtempSync(join(values.folder, 'bailiwick-bench-'))
const rivals = loadRivals(join(process.cwd(), 'bench', 'package.json'))
const conditions: Conditions = {
  folder,
  keys: Number(values.keys),
  rounds: Number(values.rounds),
  openRecords: Number(values['open-records'] || (values.long ? 1_000_000 : 100_000)),
  ledgerRecords: Number(values['ledger-records'] || (values.long ? 1_000_000 : 100_000)),
  puts: Number(values.puts || (values.long ? 2_000_000 : 200_000)),
  kills: Number(values.kills || (values.long ? 1_000 : 24)),
  waits: Number(values.waits),
  flatSeconds: Number(values['flat-seconds']),
  rivals,
}

const rows: { readonly [name: string]: () => Promise<Finding> } = {
  'hot-bytes-256': () => hotResolve(conditions, 'bytes', 256),
  'hot-bytes-4096': () => hotResolve(conditions, 'bytes', 4096),
  'hot-rows-256': () => hotResolve(conditions, 'rows', 256),
  'put-1': () => durablePut(conditions, 1, 500),
  'put-64': () => durablePut(conditions, 64, 4_000),
  'put-1000': () => durablePut(conditions, 1_000, 10_000),
  'stored-bytes': () => storedLargeValues(conditions),
  'stored-small': () => storedSmallValues(conditions),
  'lag-bytes': () => loopLag(conditions, 'bytes'),
  'lag-rows': () => loopLag(conditions, 'rows'),
  'fair-small': () => fairShares(conditions, 'small'),
  'fair-mixed': () => fairShares(conditions, 'mixed'),
  'fair-heavy': () => heavyNeighbours(conditions),
  erase: () => eraseTenant(conditions),
  sweep: () => sweepExpired(conditions),
  'loop-steps': () => loopSteps(conditions),
  'loop-deltas': () => modelDeltas(conditions),
  'loop-bytes': () => loopBytes(conditions),
  'loop-at-once': () => agentsAtOnce(conditions),
  flat: () => flat(conditions),
  killed: () => killed(conditions),
  'idle-handle': () => idleHandle(),
  'short-runs': () => shortRuns(conditions),
  waiting: () => waitingRuns(conditions),
  'memory-per-verb': () => memoryPerVerb(conditions),
  'open-store': () => openLargeStore(conditions),
  ledger: () => ledger(conditions),
  'postgres-put-1': () => postgresPut(conditions, 1, 200),
  'postgres-put-64': () => postgresPut(conditions, 64, 2_000),
  'postgres-resolve-1': () => postgresResolve(conditions, 1, 1_000),
  'postgres-resolve-64': () => postgresResolve(conditions, 64, 4_000),
  'postgres-tenants': () => postgresTenants(conditions),
  'postgres-trips': () => postgresTrips(),
}

printVersions(rivals)
const findings: Finding[] = []
try {
  for (const [name, row] of Object.entries(rows)) {
    if (!name.startsWith(values.only)) continue
    const finding = await row()
    findings.push({ ...finding, residentMb: process.memoryUsage().rss / 1e6 })
    printFinding(finding)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
printSummary(findings)
console.log(`written to ${writeResults(values.output, rivals, findings)}`)
