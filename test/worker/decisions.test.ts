import { describe, expect, it } from 'vitest'
import { type ApprovalRecord, openStore } from '../../ts/index.ts'
import { engines, freshUrl, runtimeFor } from '../support/stores.ts'
import { startWorker } from '../support/workers.ts'

const WORKERS = 4
/** Through two handles of each worker. */
const CALLS = 25
const APPROVALS = 5

describe.each(engines)('decisions on %s', (engine) => {
  it(`of ${WORKERS * CALLS} concurrent decisions, in ${WORKERS} workers with two handles each, one succeeds`, async () => {
    const url = await freshUrl(engine)
    await using store = await openStore(url)
    const { approvals } = await runtimeFor(store)
    const approvalIds: string[] = []
    for (let asked = 0; asked < APPROVALS; asked += 1) {
      approvalIds.push((await approvals.request({ tool: 'refund', input: asked })).approvalId)
    }
    const workers = Array.from({ length: WORKERS }, (_, number) =>
      startWorker('worker/decider', { url, approvalIds, calls: CALLS, name: `worker ${number}` }),
    )
    await Promise.all(workers.map(({ said }) => said('ready')))
    const told = workers.map(({ worker }) => new Promise<string>((resolve) => worker.once('message', resolve)))
    for (const { worker } of workers) worker.postMessage('go')
    const outcomes: (ApprovalRecord | string)[] = (await Promise.all(told)).flatMap((text) => JSON.parse(text))
    expect(outcomes).toHaveLength(WORKERS * CALLS * APPROVALS)
    const heard = outcomes.filter((outcome) => typeof outcome !== 'string')
    const refused = outcomes.filter((outcome) => typeof outcome === 'string')
    expect(new Set(refused)).toEqual(new Set(['APPROVAL_CLOSED']))
    // Each approval has the one record that one of the callers was given.
    heard.sort((one, other) => one.sequence - other.sequence)
    expect((await approvals.history()).items).toEqual(heard)
    expect(heard.map(({ approvalId }) => approvalId).sort()).toEqual(approvalIds.toSorted())
    expect(await approvals.verify()).toEqual({ ok: true, size: APPROVALS, problems: [] })
  })
})
