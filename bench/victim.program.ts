// A worker of the row about heavy neighbours: a tenant with one small call at a time, on its own JavaScript thread, so that
// only the core can delay it.
import { performance } from 'node:perf_hooks'
import { parentPort, workerData } from 'node:worker_threads'
import { createRuntime, defineRuntime, defineTenant, openStore } from 'bailiwick'

const { url } = workerData as { url: string }
const store = await openStore(url)
const { cache } = await createRuntime(defineRuntime({ tenant: defineTenant('victim', 'v1') }), { store })
await cache.set('key', { small: true })

parentPort?.on('message', async (milliseconds: number) => {
  if (milliseconds === 0) {
    await store.close()
    parentPort?.close()
    return
  }
  const late: number[] = []
  const end = performance.now() + milliseconds
  for (let start = performance.now(); start < end; ) {
    await cache.get('key')
    const now = performance.now()
    late.push(now - start)
    start = now
  }
  late.sort((a, b) => a - b)
  const at = (share: number) => late[Math.min(late.length - 1, Math.floor(late.length * share))] ?? Number.NaN
  parentPort?.postMessage({ p50: at(0.5), p99: at(0.99) })
})
parentPort?.postMessage('ready')
