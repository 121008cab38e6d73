import { once } from 'node:events'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createRuntime, defineRuntime, defineTenant, openStore, type Reference, type Runtime } from '../../ts/index.ts'
import { startProgram } from '../support/programs.ts'
import { durableEngines, engines, freshUrl, runtimeFor } from '../support/stores.ts'
import { startWorker } from '../support/workers.ts'

const TERMINATIONS = 200
const LANES = 4

/** The main thread goes on as if there were no workers. */
async function worksAsEver({ references, cache }: Runtime, index: number): Promise<string> {
  const { id } = await references.put('main', { index, filling: 'x'.repeat((index % 5) * 3000) })
  expect((await references.resolve(id)).json()).toMatchObject({ index })
  await cache.set('main', index)
  expect(await cache.getOrCompute(`main ${index}`, {}, () => index)).toBe(index)
  return id
}

describe.each(durableEngines)('workers on %s', (engine) => {
  it(`${TERMINATIONS} workers terminated mid-call: nothing crashes, hangs or is lost, and the lock is given back`, async () => {
    const url = await freshUrl(engine)
    const store = await openStore(url)
    const runtime = await runtimeFor(store)
    const ids: string[] = []
    let index = 0
    const lane = async () => {
      while (index < TERMINATIONS) {
        const mine = index
        index += 1
        const { worker, said } = startWorker('worker/busy', { url, index: mine })
        // From while it opens the store to when every verb has been under way a few times.
        if (mine % 4 === 0) await said('opening')
        else await said('busy', mine % 4)
        const terminated = worker.terminate()
        ids.push(await worksAsEver(runtime, mine))
        await terminated
      }
    }
    await Promise.all(Array.from({ length: LANES }, lane))
    expect(ids).toHaveLength(TERMINATIONS)
    // Each of them had the lead in computing this, or waited for it.
    expect(await runtime.cache.getOrCompute('shared', {}, () => 'main')).toBe('main')
    expect(await store.health()).toEqual({ ok: true, problems: [] })
    await store.close()
    const reader = startProgram('worker/reader', [url, ...ids])
    expect(await reader.ended).toMatchObject({ code: 0, lines: [`found ${ids.length}`], errors: '' })
  })
})

describe.each(engines)('workers on %s', (engine) => {
  it('the reservations of a terminated worker’s calls are given back to the tenant’s limit', async () => {
    const url = await freshUrl(engine)
    const store = await openStore(url)
    onTestFinished(() => store.close())
    const limits = { inFlightBytes: 72 << 10 }
    const runtime = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1'), limits }), { store })
    const { worker, said } = startWorker('worker/holding', { url })
    await said('holding')
    const put = (first: number) => runtime.references.put('file', new Uint8Array(60 << 10).fill(first))
    await expect(put(1)).rejects.toMatchObject({ quota: 'inFlightBytes' })
    await worker.terminate()
    // What it had asked for is still being done for a while.
    const putAtLast = (): Promise<Reference> =>
      put(2).catch(async () => {
        await store.health()
        return await putAtLast()
      })
    expect((await putAtLast()).byteLength).toBe(60 << 10)
  })

  it('a value is computed once, whatever worker asks for it', async () => {
    const url = await freshUrl(engine)
    const workers = Array.from({ length: 4 }, (_, name) => startWorker('worker/flight', { url, name: `${name}` }))
    const ended = workers.map(({ worker }) => once(worker, 'exit'))
    await Promise.all(workers.map(({ said }) => said('asked')))
    await Promise.race(workers.map(({ said }) => said('computing')))
    const leaders = workers.filter(({ heard }) => heard.includes('computing'))
    expect(leaders).toHaveLength(1)
    leaders[0]?.worker.postMessage('go')
    const name = workers.indexOf(leaders[0] as (typeof workers)[number])
    await Promise.all(workers.map(({ said }) => said(`value ${name}`)))
    expect(workers.flatMap(({ heard }) => heard).filter((message) => message === 'computing')).toHaveLength(1)
    await Promise.all(ended)
  })

  it('when the worker that computes is terminated, the next takes over', async () => {
    const url = await freshUrl(engine)
    const leader = startWorker('worker/flight', { url, name: 'leader' })
    await leader.said('computing')
    const next = startWorker('worker/flight', { url, name: 'next' })
    await next.said('asked')
    expect(next.heard).not.toContain('computing')
    await leader.worker.terminate()
    await next.said('computing')
    next.worker.postMessage('go')
    await next.said('value next')
  })
})
