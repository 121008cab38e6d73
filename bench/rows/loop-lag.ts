import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import {
  createRuntime,
  defineRuntime,
  defineTenant,
  openStore,
  type References,
  type ReferenceValue,
  withTenant,
} from 'bailiwick'
import type { Conditions, Figure, Finding, Ratio } from '../finding.ts'
import { freshBytes, freshRows } from '../values.ts'

const TENANTS = 20
const PUTS = 40
const BYTES = 100_000
const LIMIT_MS = 5

/** How late a timer of 1 ms and a turn of the event loop are while tenants write large values. */
export async function loopLag(conditions: Conditions, form: 'bytes' | 'rows'): Promise<Finding> {
  const folder = join(conditions.folder, `lag-${form}`)
  mkdirSync(folder)
  const store = await openStore(`sled:${folder}/bailiwick`)
  const first = defineRuntime({ tenant: defineTenant('tenant-0', 'v1') })
  const tenants: References[] = []
  for (let index = 0; index < TENANTS; index += 1) {
    const spec = withTenant(first, defineTenant(`tenant-${index}`, 'v1'))
    tenants.push((await createRuntime(spec, { store })).references)
  }
  const next = tenants.map(() => (form === 'bytes' ? changingBytes() : changingRows()))
  const idle = await lagDuring(() => new Promise((resolve) => setTimeout(resolve, 1000)))
  globalThis.gc?.()
  const start = performance.now()
  const busy = await lagDuring(() =>
    Promise.all(
      tenants.map(async (references, index) => {
        const value = next[index] as () => ReferenceValue
        for (let put = 0; put < PUTS; put += 1) await references.put('sample', value())
      }),
    ),
  )
  const seconds = (performance.now() - start) / 1000
  await store.close()
  const ratios: Ratio[] = [
    { of: 'p99 of a timer’s lag, ms', value: busy.histogram.p99, target: { atMost: LIMIT_MS } },
    { of: 'p99 of the probe’s lag, ms', value: busy.probe.p99, target: { atMost: LIMIT_MS } },
  ]
  return {
    row: `event-loop lag while ${TENANTS} tenants put ${form === 'bytes' ? 'bytes' : 'JSON'}`,
    load: `${TENANTS} tenants, each ${PUTS} values of ${BYTES} B one after the other`,
    figures: [
      ...figures('bailiwick', busy),
      ...figures('nothing going on', idle),
      { contender: 'bailiwick', what: 'MB/s', value: (TENANTS * PUTS * BYTES) / 1e6 / seconds },
    ],
    ratios,
  }
}

let changes = 0

/** The same bytes with another beginning each time: what lies in memory beside a put is no part of the row. */
function changingBytes(): () => ReferenceValue {
  const bytes = freshBytes(BYTES)
  return () => {
    new DataView(bytes.buffer).setUint32(0, changes)
    changes += 1
    return bytes
  }
}

function changingRows(): () => ReferenceValue {
  const rows = freshRows(BYTES)
  return () => {
    changes += 1
    return { change: changes, rows }
  }
}

interface Quantiles {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

interface Lag {
  /** How late a 1 ms timer was, by Node's own histogram: its interval is subtracted. */
  readonly histogram: Quantiles
  /** How late a 1 ms timer of ours was, and the immediate that it sets. */
  readonly probe: Quantiles
}

async function lagDuring(work: () => Promise<unknown>): Promise<Lag> {
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  const late: number[] = []
  let running = true
  const probe = () => {
    const start = performance.now()
    setTimeout(() => {
      setImmediate(() => {
        late.push(Math.max(0, performance.now() - start - 1))
        if (running) probe()
      })
    }, 1)
  }
  histogram.enable()
  probe()
  await work()
  histogram.disable()
  running = false
  const sorted = late.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  const beyondInterval = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - 1)
  return {
    histogram: {
      p50: beyondInterval(histogram.percentile(50)),
      p99: beyondInterval(histogram.percentile(99)),
      max: beyondInterval(histogram.max),
    },
    probe: { p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? 0 },
  }
}

function figures(contender: string, { histogram, probe }: Lag): Figure[] {
  return [
    { contender, what: 'timer p50 ms', value: histogram.p50 },
    { contender, what: 'timer p99 ms', value: histogram.p99 },
    { contender, what: 'timer max ms', value: histogram.max },
    { contender, what: 'probe p50 ms', value: probe.p50 },
    { contender, what: 'probe p99 ms', value: probe.p99 },
    { contender, what: 'probe max ms', value: probe.max },
  ]
}
