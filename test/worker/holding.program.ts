// A worker that calls and never comes to the answers.
import { parentPort, workerData } from 'node:worker_threads'
import { createRuntime, defineRuntime, defineTenant, openStore } from 'bailiwick'

const { url } = workerData as { url: string }
const store = await openStore(url)
const { references } = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1') }), { store })
void references.put('file', new Uint8Array(50 << 10))
parentPort?.postMessage('holding')
for (;;);
