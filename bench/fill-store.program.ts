// Fills a store with references of 256 B. Parameters: its URL, how many, and `close` or `stay`: with `stay` it prints
// that it is done and waits for its end, as a process that is about to be killed does.
import process from 'node:process'
import { createRuntime, defineRuntime, defineTenant, openStore } from 'bailiwick'
import { inFlight } from './in-flight.ts'
import { freshBytes } from './values.ts'

const [url = '', count = '0', end = 'close'] = process.argv.slice(2)
const BATCH = 250
const store = await openStore(url)
const runtime = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1') }), { store })
let id = ''
await inFlight(Math.ceil(Number(count) / BATCH), 8, async () => {
  const items = Array.from({ length: BATCH }, () => ({ type: 'sample', value: freshBytes(256) }))
  id = (await runtime.references.putMany(items))[0]?.id ?? id
})
if (end === 'close') await store.close()
else setInterval(() => {}, 1 << 30)
console.log(JSON.stringify({ id }))
