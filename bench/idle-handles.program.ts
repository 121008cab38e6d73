// Makes a runtime handle for each of many tenants of one topology and prints what they cost. Parameter: how many.
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import {
  createRuntime,
  defineReference,
  defineRuntime,
  defineTenant,
  openStore,
  type Runtime,
  withTenant,
} from 'bailiwick'
import { resident } from './memory.ts'

const count = Number(process.argv[2])
const store = await openStore('memory:')
const topology = defineRuntime({
  tenant: defineTenant('first', 'v1'),
  references: [defineReference({ name: 'rows', ttlMs: 3_600_000 })],
})
const handles: Runtime[] = new Array(count)

async function make(from: number, to: number): Promise<number> {
  const start = performance.now()
  for (let index = from; index < to; index += 1) {
    handles[index] = await createRuntime(withTenant(topology, defineTenant(`tenant-${index}`, 'v1')), { store })
  }
  return ((performance.now() - start) * 1000) / (to - from)
}

// The first thousand pay for shared parts: code, tables, threads.
const warm = Math.min(1000, count >> 1)
await make(0, warm)
const before = resident()
const microseconds = await make(warm, count)
const after = resident()
const used = handles.reduce((sum, handle) => sum + handle.tenant.resourceId.length, 0)
console.log(JSON.stringify({ microseconds, bytes: (after - before) / (count - warm), resident: after, used }))
await store.close()
