// A process that ends in one of several ways, or does not end by itself.
import { createRuntime, defineRuntime, defineTenant, openStore } from 'bailiwick'

const [, , way, url] = process.argv as [string, string, string, string]
const store = await openStore(url)
const { references, cache } = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1') }), { store })

function startMuchWork(): Promise<unknown>[] {
  const value = new Uint8Array(50_000)
  const puts = Array.from({ length: 200 }, (_, index) => references.put('thing', value.fill(index)))
  const sets = Array.from({ length: 200 }, (_, index) => cache.set(`${index}`, value))
  const never = cache.getOrCompute('never', {}, () => new Promise<never>(() => {}))
  const work = [...puts, ...sets]
  // What is refused because the store is closed first is no failure of this program.
  for (const call of [...work, never]) call.catch(() => {})
  return work
}

const ways: Record<string, () => unknown> = {
  'exit at once': () => {
    startMuchWork()
    process.exit(7)
  },
  'exit after the first answer': async () => {
    await Promise.race(startMuchWork())
    process.exit(7)
  },
  'exit while closing': () => {
    startMuchWork()
    void store.close()
    setImmediate(() => process.exit(7))
  },
  'fail with work in flight': () => {
    startMuchWork()
    throw new Error('of the program')
  },
  'nothing in flight': async () => {
    const { id } = await references.put('thing', 'kept')
    console.log(id)
  },
  'one pending call': () => {
    void references.put('thing', 'x'.repeat(1_000_000)).then(({ id }) => console.log(id))
  },
  'hold the store': () => {
    console.log('open')
    process.stdin.resume()
  },
}
await ways[way]?.()
