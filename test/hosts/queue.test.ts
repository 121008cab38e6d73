import { expect, it } from 'vitest'
import { openStore } from '../../ts/index.ts'
import { startProgram } from '../support/programs.ts'
import { engines, freshUrl, openFresh } from '../support/stores.ts'
import { approve, hostOn, over, runtimeOf } from './team.ts'

const threadId = 'support'

it.each(['sled', 'postgres'] as const)(
  'on %s, the runs that a killed process has queued begin in their order in the next',
  { timeout: 60_000 },
  async (engine) => {
    const url = await freshUrl(engine)
    const prompts = ['look', 'send', 'look']
    const program = startProgram('hosts/queue', [url, ...prompts])
    await program.printedLines(prompts.length)
    program.child.kill('SIGKILL')
    const { signal, errors, lines: runIds } = await program.ended
    expect([signal, errors]).toEqual(['SIGKILL', ''])
    const store = await openStore(url)
    const host = await hostOn(store)
    await host.start()
    const acme = await host.runtime('acme')
    const approveNext = async () => {
      await expect.poll(async () => (await acme.approvals.pending()).items).toHaveLength(1)
      await approve(acme, (await acme.approvals.pending()).items[0]?.approvalId ?? '')
    }
    await approveNext()
    await approveNext()
    const { items: runs } = await acme.runs.list({ threadId })
    expect(runs).toHaveLength(4)
    for (const { runId } of runs) expect(await over(acme, runId)).toBe('completed')
    const { items } = await acme.threads.messages(threadId)
    const said = items.filter(({ role }) => role === 'user').map(({ runId }) => runId)
    expect(said.slice(1)).toEqual(runIds)
    expect(host.stats().takenBy.queued).toBeGreaterThanOrEqual(prompts.length)
    await host.close()
    await store.close()
  },
)

it.each(engines)(
  'on %s, a host that is drained does not wait for queued runs, and another begins them',
  async (engine) => {
    const store = await openFresh(engine)
    const first = await hostOn(store)
    await first.start()
    const runtime = await first.runtime('acme')
    const waits = await runtime.query({ threadId, prompt: 'send' }).result()
    const queued = runtime.query({ threadId, prompt: 'look', whenBusy: 'queue' })
    const later = runtime.query({ prompt: 'look', startAt: Date.now() + 100_000 })
    const ended = Promise.allSettled([queued.result(), later.result()])
    await expect.poll(async () => (await runtime.runs.list({ status: 'queued' })).items).toHaveLength(2)
    expect(await first.drain({ deadlineMs: 60_000 })).toEqual({ finished: 0, released: 2 })
    expect(await ended).toMatchObject([{ reason: { code: 'CLOSED' } }, { reason: { code: 'CLOSED' } }])
    const second = await hostOn(store)
    await second.start()
    const acme = await runtimeOf(store, 'acme')
    await acme.runs.cancel(waits.runId)
    expect(await over(acme, queued.runId)).toBe('completed')
    expect(await acme.runs.get(later.runId)).toMatchObject({ status: 'queued' })
  },
)
