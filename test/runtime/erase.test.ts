import { describe, expect, it } from 'vitest'
import { ClosedError, createRuntime, type TraceEvent, verifyReceipt } from '../../ts/index.ts'
import { engines, noon, openFresh, runtimeFor } from '../support/stores.ts'

describe.each(engines)('erase on %s', (engine) => {
  it('it removes everything of one tenant, ends its handles, and gives a signed receipt', async () => {
    const store = await openFresh(engine, {}, { now: noon })
    const [acme, twin, globex] = await Promise.all([
      runtimeFor(store, 'acme'),
      runtimeFor(store, 'acme'),
      runtimeFor(store, 'globex'),
    ])
    const { id } = await acme.references.put('note', 'of acme')
    const kept = await globex.references.put('note', 'of globex')
    const { approvalId } = await acme.approvals.request({ tool: 'pay', input: { amount: 3 } })
    await acme.approvals.respond(approvalId, { decision: 'approve', actor: 'ann' })
    for (const confirm of ['', 'globex', 'acme ', 'ACME']) {
      await expect(acme.erase({ confirm })).rejects.toThrow(/confirm/)
    }
    const receipt = await acme.erase({ confirm: 'acme' })
    expect(receipt).toMatchObject({ tenant: { resourceId: 'acme', version: 'v1' }, erasedAt: noon, complete: true })
    expect(receipt.storage.references).toEqual({ items: 1, bytes: 7 })
    expect(receipt.storage.approvals.items).toBe(1)
    expect(receipt.checkpoint?.size).toBe(1)
    expect(receipt.residues.length).toBeGreaterThan(0)
    expect(verifyReceipt(JSON.parse(JSON.stringify(receipt)), store.publicKey)).toBe(true)
    expect(verifyReceipt({ ...receipt, complete: false }, store.publicKey)).toBe(false)
    for (const runtime of [acme, twin]) {
      await expect(runtime.references.resolve(id)).rejects.toThrow(ClosedError)
      await expect(runtime.references.put('note', 'late')).rejects.toThrow(ClosedError)
      await expect(runtime.threads.list()).rejects.toThrow(ClosedError)
    }
    await expect(twin.erase({ confirm: 'acme' })).rejects.toThrow(ClosedError)
    expect((await globex.references.resolve(kept.id)).text()).toBe('of globex')
    const afresh = await runtimeFor(store, 'acme')
    expect((await afresh.usage()).storage.references.items).toBe(0)
    expect((await afresh.references.put('note', 'of acme')).id).not.toBe(id)
    expect(await store.check()).toMatchObject({ ok: true, tenants: 2, problems: [] })
  })

  it('followers receive it as the last event', async () => {
    const store = await openFresh(engine)
    const [acme, twin] = await Promise.all([runtimeFor(store), runtimeFor(store)])
    const seen: TraceEvent[] = []
    let follows: () => void = () => {}
    const following = new Promise<void>((resolve) => {
      follows = resolve
    })
    const followed = (async () => {
      for await (const event of twin.traces.follow()) {
        seen.push(event)
        follows()
      }
    })()
    // The first event shows that the follower is there.
    const put = async () => {
      for (let number = 0; seen.length === 0; number += 1) {
        await acme.references.put('note', `${number}`)
        await acme.traces.list()
      }
    }
    await Promise.all([put(), following])
    await acme.erase({ confirm: 'acme' })
    await followed
    expect(seen.at(-1)?.type).toBe('tenant.erased')
    expect((await (await runtimeFor(store)).traces.list()).items).toEqual([])
  })

  it('of many at once one erases, and a tenant without data can be erased', async () => {
    const store = await openFresh(engine)
    const handles = await Promise.all(Array.from({ length: 8 }, () => runtimeFor(store)))
    await handles[0]?.references.put('note', 'x')
    const outcomes = await Promise.allSettled(handles.map((handle) => handle.erase({ confirm: 'acme' })))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(ClosedError)
    }
    const empty = await (await runtimeFor(store, 'nobody')).erase({ confirm: 'nobody' })
    expect([empty.complete, empty.checkpoint, verifyReceipt(empty, store.publicKey)]).toEqual([true, undefined, true])
  })
})

it('bad options are refused before anything happens', async () => {
  const runtime = await runtimeFor(await openFresh('memory'))
  for (const options of [undefined, null, 'acme', {}, { confirm: 1 }, { confirm: '\ud800' }]) {
    await expect(runtime.erase(options as never)).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  }
  await using own = await createRuntime(runtime.spec, { store: 'memory:' })
  await own.erase({ confirm: 'acme' })
  await expect(own.usage()).rejects.toThrow(ClosedError)
})
