import { describe, expect, it } from 'vitest'
import {
  ClosedError,
  defineTenant,
  InvalidInputError,
  NotFoundError,
  TenantMismatchError,
  withTenant,
} from '../../ts/index.ts'
import { engines, openFresh } from '../support/stores.ts'
import { approve, hostOn, over, runtimeOf, topology, waiting } from './team.ts'

const TENANTS = 1000
const OPEN = 50

describe('the runtimes of a host', () => {
  it.each(engines)(`on %s, ${TENANTS} tenants share ${OPEN} open handles, and none notices`, async (engine) => {
    const host = await hostOn(await openFresh(engine), {}, { maxOpen: OPEN })
    const names = Array.from({ length: TENANTS }, (_, at) => `tenant-${at}`)
    const runtimes = await Promise.all(names.map((name) => host.runtime(name)))
    const count = engine === 'memory' ? TENANTS : TENANTS / 10
    const used = runtimes.slice(0, count)
    await Promise.all(used.map((runtime, at) => runtime.cache.set('at', at)))
    const read = await Promise.all(used.map((runtime) => runtime.cache.get('at')))
    expect(read).toEqual(used.map((_, at) => at))
    // One at a time, no more are open than may be.
    for (const runtime of used) {
      await runtime.cache.get('at')
      expect(host.stats().open).toBeLessThanOrEqual(OPEN)
    }
  })

  it('are the same object while they are open, and can be given back and used again', async () => {
    const host = await hostOn(await openFresh('memory'))
    const [one, other] = await Promise.all([host.runtime('acme'), host.runtime(defineTenant('acme', 'v2'))])
    expect(one).toBe(other)
    await one.cache.set('key', 1)
    expect(host.stats().open).toBe(1)
    await one.close()
    expect(host.stats().open).toBe(0)
    expect(await other.cache.get('key')).toBe(1)
    expect(await (await host.runtime('acme')).cache.get('key')).toBe(1)
  })

  it('stay open while a run or a call is in flight', async () => {
    const store = await openFresh('memory')
    let answer = (_: string) => {}
    const answered = new Promise<string>((resolve) => {
      answer = resolve
    })
    const host = await hostOn(store, { look: () => answered }, { maxOpen: 1 })
    const acme = await host.runtime('acme')
    const run = acme.query('look')
    await (await host.runtime('globex')).cache.set('key', 1)
    await acme.close()
    expect(host.stats().open).toBe(1)
    answer('seen')
    expect((await run.result()).status).toBe('completed')
    // It was given back: with its last call, its handle goes.
    expect(host.stats().open).toBe(0)
  })

  it('serve an erased tenant anew', async () => {
    const host = await hostOn(await openFresh('memory'))
    const acme = await host.runtime('acme')
    await acme.cache.set('key', 1)
    await acme.erase({ confirm: 'acme' })
    const next = await host.runtime('acme')
    expect(await next.cache.get('key')).toBeUndefined()
    await next.cache.set('key', 2)
    expect(await next.cache.get('key')).toBe(2)
  })

  it('find nothing of each other', async () => {
    const host = await hostOn(await openFresh('memory'))
    await host.start()
    const [acme, globex] = await Promise.all([host.runtime('acme'), host.runtime('globex')])
    const { runId, approvalId } = await waiting(acme)
    await expect(globex.runs.get(runId)).rejects.toThrow(NotFoundError)
    await expect(approve(globex, approvalId)).rejects.toThrow(NotFoundError)
    await approve(acme, approvalId)
    expect(await over(acme, runId)).toBe('completed')
    expect(await globex.traces.list()).toEqual({ items: [] })
    expect(JSON.stringify(host.stats())).not.toMatch(/acme|globex|run_/)
  })

  it('are those of the tenants that specFor has a spec for', async () => {
    const host = await hostOn(
      await openFresh('memory'),
      {},
      {
        specFor: (tenant) => {
          if (tenant === 'nobody') return undefined
          return withTenant(topology, defineTenant(tenant === 'forged' ? 'acme' : tenant, 'v1'))
        },
      },
    )
    expect((await host.runtime('acme')).tenant.resourceId).toBe('acme')
    await expect(host.runtime('nobody')).rejects.toThrow(NotFoundError)
    await expect(host.runtime('forged')).rejects.toThrow(TenantMismatchError)
    await expect(host.runtime(5 as never)).rejects.toThrow(InvalidInputError)
  })

  it('end with their host, and a runtime of its own is not concerned', async () => {
    const store = await openFresh('memory')
    const own = await runtimeOf(store, 'acme')
    const host = await hostOn(store)
    const acme = await host.runtime('acme')
    await acme.cache.set('key', 1)
    await host.close()
    await host.close()
    await expect(acme.cache.get('key')).rejects.toThrow(ClosedError)
    await expect(host.runtime('acme')).rejects.toThrow(ClosedError)
    await expect(host.start()).rejects.toThrow(ClosedError)
    expect(await own.cache.get('key')).toBe(1)
  })

  it.each([
    ['maxOpen', 0],
    ['concurrency', 1.5],
    ['concurrencyPerTenant', -1],
  ])('need a whole number for %s, not %d', async (name, value) => {
    const store = await openFresh('memory')
    await expect(hostOn(store, {}, { [name]: value })).rejects.toThrow(`${name} must be a whole number from 1 on`)
  })
})
