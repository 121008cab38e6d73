// A worker that rotates the root key of a store which others have open, and reads what a tenant had before.
import { parentPort, workerData } from 'node:worker_threads'
import { createRuntime, defineRuntime, defineTenant, openStore } from 'bailiwick'

const { url, id } = workerData as { url: string; id: string }
const store = await openStore(url, { rootKey: new Uint8Array(32).fill(1) })
await store.rotateRootKey(new Uint8Array(32).fill(2))
const runtime = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1') }), { store })
const text = (await runtime.references.resolve(id)).text()
await store.close()
parentPort?.postMessage(text)
