// A worker with calls of every verb under way all the time. The test terminates it.
import { parentPort, workerData } from 'node:worker_threads'
import { createRuntime, defineRuntime, defineTenant, openStore, type Runtime } from 'bailiwick'

const { url, index } = workerData as { url: string; index: number }

parentPort?.postMessage('opening')
const store = await openStore(url)
const runtime = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1') }), { store })
void runtime.cache.getOrCompute('shared', {}, () => new Promise<never>(() => {}))
for (let round = 0; ; round += 1) {
  const calls = everyVerb(runtime, round)
  parentPort?.postMessage('busy')
  await Promise.all(calls)
}

function everyVerb({ references, cache, usage }: Runtime, round: number): Promise<unknown>[] {
  const name = `${index} ${round % 7}`
  const large = new Uint8Array(300_000).fill(round)
  return [
    references.put('thing', name).then(({ id }) => Promise.all([references.resolve(id), references.describe(id)])),
    references
      .put('thing', large)
      .then(async ({ id }) => [await references.resolveMany([id]), await references.delete(id)]),
    references.putMany([1, 2, 3].map((value) => ({ type: 'many', value: { name, value } }))),
    references.list({ limit: 5 }),
    cache.set(name, large).then(async () => [await cache.get(name), await cache.delete(name)]),
    cache.getOrCompute(`${name} computed`, {}, async () => (await cache.get(name)) ?? name),
    usage.call(runtime),
    store.health(),
    store.stats(),
  ]
}
