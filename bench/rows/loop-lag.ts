import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import {
  createRuntime,
  defineRuntime,
  defineTenant,
  openStore,
  type References,
  type ReferenceValue,
  withTenant,
} from 'bailiwick'
import type { Conditions, Finding, Ratio } from '../finding.ts'
import { LAG_LIMIT_MS, lagDuring, lagFigures } from '../lag.ts'
import { changingRows, freshBytes } from '../values.ts'

const TENANTS = 20
const PUTS = 40
const BYTES = 100_000

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
  const next = tenants.map(() => (form === 'bytes' ? changingBytes() : changingRows(BYTES)))
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
    { of: 'p99 of a timer’s lag, ms', value: busy.histogram.p99, target: { atMost: LAG_LIMIT_MS } },
    { of: 'p99 of the probe’s lag, ms', value: busy.probe.p99, target: { atMost: LAG_LIMIT_MS } },
  ]
  return {
    row: `event-loop lag while ${TENANTS} tenants put ${form === 'bytes' ? 'bytes' : 'JSON'}`,
    load: `${TENANTS} tenants, each ${PUTS} values of ${BYTES} B one after the other`,
    figures: [
      ...lagFigures('bailiwick', busy),
      ...lagFigures('nothing going on', idle),
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
