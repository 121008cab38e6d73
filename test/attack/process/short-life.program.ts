// A worker that loads the addon, does one of everything that allocates on both sides, and ends or waits to be ended.
import process from 'node:process'
import { parentPort, workerData } from 'node:worker_threads'
import { createRuntime, defineRuntime, defineTenant, openStore } from 'bailiwick'

const { url, ends } = workerData as { url: string; ends: boolean }
const store = await openStore(url)
const runtime = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1') }), { store })
const ids: string[] = []
for (let index = 0; index < 64; index += 1) {
  const { id } = await runtime.references.put('note', { index, filling: 'x'.repeat(index * 128) })
  ids.push(id)
}
await runtime.references.resolveMany(ids)
await runtime.cache.getOrCompute('key', {}, () => 'value')
if (ends) {
  await store.close()
  parentPort?.postMessage('done')
} else {
  // Calls are under way when it is terminated.
  for (let index = 0; index < 64; index += 1) void runtime.cache.set(`key ${index}`, 'x'.repeat(4096)).catch(() => {})
  parentPort?.postMessage('done')
  setInterval(() => {}, 1000)
}
if (parentPort === null) process.exitCode = 1
