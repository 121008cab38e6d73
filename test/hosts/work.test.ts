import { describe, expect, it } from 'vitest'
import {
  type Activity,
  ClosedError,
  defineTenant,
  type HostErrorSource,
  SpecError,
  withTenant,
} from '../../ts/index.ts'
import { TenantRuntime } from '../../ts/tenant/runtime.ts'
import { engines, noon, openFresh } from '../support/stores.ts'
import { approve, hostOn, over, runtimeOf, topology, waiting } from './team.ts'

/** A promise, and what resolves it. */
function signal(): { readonly given: Promise<void>; readonly give: () => void } {
  let give = () => {}
  const given = new Promise<void>((resolve) => {
    give = resolve
  })
  return { given, give }
}

describe.each(engines)('a host on %s', (engine) => {
  it('takes up a run once its approval is decided, and nothing before it is started', async () => {
    const store = await openFresh(engine)
    const events: Activity[] = []
    const host = await hostOn(store, {}, { onEvent: (event) => events.push(event) })
    const acme = await host.runtime('acme')
    const early = await waiting(acme)
    await approve(acme, early.approvalId)
    expect((await acme.runs.get(early.runId)).status).toBe('suspended')
    expect(host.stats()).toMatchObject({ open: 1, working: 0, taken: 0 })
    await host.start()
    expect(await over(acme, early.runId)).toBe('completed')
    // A run of another tenant, decided through a handle that is not the host's.
    const globex = await runtimeOf(store, 'globex')
    const late = await waiting(globex)
    await approve(globex, late.approvalId)
    expect(await over(globex, late.runId)).toBe('completed')
    const taken = events.flatMap((event) => (event.type === 'run.taken' ? [[event.tenant, event.reason]] : []))
    expect(taken).toEqual([
      ['acme', 'settled'],
      ['globex', 'settled'],
    ])
    const due = events.flatMap((event) => (event.type === 'wait.due' ? [event] : []))
    expect(due).toEqual([
      { type: 'wait.due', tenant: 'acme', runId: early.runId, lateMs: expect.any(Number) },
      { type: 'wait.due', tenant: 'globex', runId: late.runId, lateMs: expect.any(Number) },
    ])
    await host.drain()
    expect(events.filter(({ type }) => type === 'run.ended')).toMatchObject([
      { tenant: 'acme', runId: early.runId, status: 'completed' },
      { tenant: 'globex', runId: late.runId, status: 'completed' },
    ])
    expect(host.stats()).toMatchObject({ working: 0, waiting: 0, taken: 2, ended: 2, takenBy: { settled: 2 } })
  })

  it('hears what this process has removed from the store', async () => {
    const store = await openFresh(engine, {}, { now: noon })
    const told = signal()
    const events: Activity[] = []
    const onEvent = (event: Activity) => {
      if (event.type !== 'sweep') return
      events.push(event)
      told.give()
    }
    const host = await hostOn(store, {}, { onEvent })
    await (await host.runtime('acme')).cache.set('short', 1, { ttlMs: 1000 })
    await store.advance(3_600_000)
    const swept = await store.sweep()
    expect(swept.removed).toBeGreaterThan(0)
    await host.start()
    await told.given
    expect(events).toEqual([{ type: 'sweep', ...swept, durationMs: expect.any(Number) }])
  })

  it('gives up what it works at when it is drained, and another host goes on with it', async () => {
    const store = await openFresh(engine)
    const [called, answer] = [signal(), signal()]
    let looked = 0
    const look = async () => {
      looked += 1
      called.give()
      await answer.given
      return 'seen'
    }
    const first = await hostOn(store, { look })
    await first.start()
    const begun = (await first.runtime('acme')).query('look')
    await called.given
    const failed = expect(begun.result()).rejects.toThrow(ClosedError)
    expect(await first.drain({ deadlineMs: 0 })).toEqual({ finished: 0, released: 1 })
    await failed
    answer.give()
    await expect(first.start()).rejects.toThrow(ClosedError)
    const second = await hostOn(store, { look })
    await second.start()
    const acme = await second.runtime('acme')
    expect(await over(acme, begun.runId)).toBe('completed')
    expect(looked).toBe(2)
  })

  it('lets the step of a run that it has taken up end when it is drained', async () => {
    const store = await openFresh(engine)
    const acme = await runtimeOf(store, 'acme')
    const { runId, approvalId } = await waiting(acme)
    const [called, answer] = [signal(), signal()]
    let sent = 0
    const send = async () => {
      sent += 1
      called.give()
      await answer.given
      return 'sent'
    }
    const first = await hostOn(store, { send })
    await first.start()
    await approve(acme, approvalId)
    await called.given
    const drained = first.drain({ deadlineMs: 60_000 })
    answer.give()
    // It may end before it hears of the drain.
    const { finished, released } = await drained
    expect(finished + released).toBe(1)
    const second = await hostOn(store, { send })
    await second.start()
    expect(await over(acme, runId)).toBe('completed')
    expect(sent).toBe(1)
  })
})

describe('the work of a host', () => {
  it('is taken in turn between tenants, and at most so much of one at a time', async () => {
    const store = await openFresh('memory')
    const runs: { readonly runtime: Awaited<ReturnType<typeof runtimeOf>>; readonly runId: string }[] = []
    const decided = async (tenant: string, count: number) => {
      const runtime = await runtimeOf(store, tenant)
      for (let run = 0; run < count; run += 1) {
        const { runId, approvalId } = await waiting(runtime)
        await approve(runtime, approvalId)
        runs.push({ runtime, runId })
      }
    }
    await decided('busy', 30)
    for (const small of ['one', 'two', 'three']) await decided(small, 1)
    const order: string[] = []
    const active = new Map<string, number>()
    let most = 0
    const send = async (tenant: string) => {
      order.push(tenant)
      active.set(tenant, (active.get(tenant) ?? 0) + 1)
      most = Math.max(most, active.get(tenant) ?? 0)
      // Long enough for others to come, and not equally long.
      const turns = order.length % 2 === 0 ? 1 : 5000
      for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve))
      active.set(tenant, (active.get(tenant) ?? 0) - 1)
      return 'sent'
    }
    const host = await hostOn(store, { send }, { concurrency: 8, concurrencyPerTenant: 2 })
    await host.start()
    for (const { runtime, runId } of runs) expect(await over(runtime, runId)).toBe('completed')
    expect(order).toHaveLength(33)
    expect(most).toBeLessThanOrEqual(2)
    for (const small of ['one', 'two', 'three']) expect(order.indexOf(small)).toBeLessThan(8)
  })

  it('that cannot be taken up is reported with its run, and hides no other', async () => {
    const store = await openFresh('memory')
    const [broken, whole] = await Promise.all([runtimeOf(store, 'broken'), runtimeOf(store, 'whole')])
    const errors: [unknown, HostErrorSource][] = []
    const told = signal()
    const host = await hostOn(
      store,
      {},
      {
        specFor: (tenant) => {
          if (tenant === 'broken') throw new SpecError([{ path: 'tenant', message: 'Not today.' }])
          return withTenant(topology, defineTenant(tenant, 'v1'))
        },
        onError: (...error) => {
          errors.push(error)
          told.give()
        },
      },
    )
    await host.start()
    const [first, second] = [await waiting(broken), await waiting(whole)]
    await approve(broken, first.approvalId)
    await told.given
    await approve(whole, second.approvalId)
    expect(await over(whole, second.runId)).toBe('completed')
    expect(errors[0]).toEqual([expect.any(SpecError), { tenant: 'broken', runId: first.runId }])
    expect(host.stats().refused).toBeGreaterThan(0)
    await expect(host.runtime('broken')).rejects.toThrow(SpecError)
    expect((await broken.runs.get(first.runId)).status).toBe('suspended')
  })
})

it('a run that a host left alone is due again at once for another, when the command wakes it', async () => {
  // Nothing becomes due by the clock.
  const store = await openFresh('memory', {}, { now: noon })
  const acme = await runtimeOf(store, 'acme')
  const { runId, approvalId } = await waiting(acme)
  const seen = signal()
  const deaf = await hostOn(store, {}, { specFor: () => void seen.give() })
  await deaf.start()
  await approve(acme, approvalId)
  await seen.given
  await deaf.close()
  const host = await hostOn(store)
  await host.start()
  const globex = await runtimeOf(store, 'globex')
  const other = await waiting(globex)
  await approve(globex, other.approvalId)
  expect(await over(globex, other.runId)).toBe('completed')
  expect((await acme.runs.get(runId)).status).toBe('suspended')
  await TenantRuntime.starterOf(acme as TenantRuntime<never>).wake(runId)
  expect(await over(acme, runId)).toBe('completed')
})
