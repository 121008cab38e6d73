// Opens a store, resolves one reference, and prints how long that took. Parameters: its URL and an id in it.
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { createRuntime, defineRuntime, defineTenant, openStore } from 'bailiwick'

const [url = '', id = ''] = process.argv.slice(2)
const start = performance.now()
const store = await openStore(url)
const opened = performance.now() - start
const runtime = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1') }), { store })
const { bytes } = await runtime.references.resolve(id)
const first = performance.now() - start
await store.close()
console.log(JSON.stringify({ opened, first, bytes: bytes.length, resident: process.memoryUsage().rss }))
