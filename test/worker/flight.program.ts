// A worker that asks the cache for one value. Its computation waits for the main thread.
import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'
import { createRuntime, defineRuntime, defineTenant } from 'bailiwick'

const { url, name } = workerData as { url: string; name: string }

const runtime = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1') }), { store: url })
const value = runtime.cache.getOrCompute('flight', {}, async () => {
  parentPort?.postMessage('computing')
  await once(parentPort as NonNullable<typeof parentPort>, 'message')
  return name
})
parentPort?.postMessage('asked')
parentPort?.postMessage(`value ${await value}`)
await runtime.close()
