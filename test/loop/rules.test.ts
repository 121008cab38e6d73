// The rule that `needsApproval` answers with holds for the whole life of an approval, whatever is tried to get round it.
import { describe, expect, it } from 'vitest'
import {
  type Approval,
  type ApprovalNeed,
  type ApproverAnswer,
  createRuntime,
  defineCoordinator,
  defineRuntime,
  defineSpecialist,
  defineTool,
  type Model,
  type RunResult,
  type Runtime,
  type RuntimeOptions,
  type RuntimeSpec,
  type Store,
  verifyInclusion,
  waitFor,
} from '../../ts/index.ts'
import { codeOf, failureOf } from '../support/failures.ts'
import { engines, openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { calls, gate, sayingModel, says } from './models.ts'
import { planningSpec } from './specs.ts'

const input = { type: 'object', properties: { amount: { type: 'number' } } } as const
const refund = defineTool({ name: 'refund', description: 'Refunds', input, approval: 'dynamic' })
const two = { required: true, to: ['lee', 'ann', 'kim'], quorum: 2, notBy: 'requester' } as const
const approve = (actor: string) => ({ decision: 'approve', actor }) as const

function specWith(tool = refund) {
  const clerk = defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.', tools: [tool] })
  return defineRuntime({ tenant: acme, agents: [clerk] })
}

/** Asks for a refund whenever a user says so, and is done with everything else. */
function willing(): Model {
  return sayingModel(({ messages }) => {
    const last = messages.at(-1)
    return last?.role === 'user' && JSON.stringify(last.parts).includes('Refund')
      ? calls(['refund', { amount: 5 }])
      : says('Done.')
  })
}

/** A runtime whose `needsApproval` gives this answer, and what its tool was called with. */
async function clerk(
  store: Store,
  need: ApprovalNeed | (() => ApprovalNeed),
  options: Partial<RuntimeOptions> = {},
  spec: RuntimeSpec = specWith(),
) {
  const given: unknown[] = []
  const runtime = await createRuntime(spec, {
    store,
    models: { test: willing() },
    tools: { refund: (input: unknown) => given.push(input) },
    needsApproval: () => (typeof need === 'function' ? need() : need),
    ...options,
  } as RuntimeOptions)
  return { runtime, given }
}

function waiting(result: RunResult<unknown>): Approval {
  if (result.status !== 'suspended') throw new Error(`It is ${result.status}.`)
  return result.approvals[0] as Approval
}

async function onlyPending({ approvals }: Runtime): Promise<Approval> {
  const { items } = await approvals.pending()
  expect(items).toHaveLength(1)
  return items[0] as Approval
}

describe.each(engines)('the rule of an approval in a run on %s', (engine) => {
  it('lets those decide that it names, each once, and not whoever asked', async () => {
    const store = await openFresh(engine)
    const { runtime, given } = await clerk(store, two)
    const run = runtime.query({ prompt: 'Refund it', actor: 'kim' })
    const { approvalId, rule } = waiting(await run.result())
    expect(rule).toEqual({ to: ['ann', 'kim', 'lee'], quorum: 2, notBy: 'requester', requesters: ['kim'] })
    const respond = (actor: string) => runtime.approvals.respond(approvalId, approve(actor))
    for (const actor of ['kim', 'bob']) expect(await codeOf(() => respond(actor))).toBe('APPROVAL_FORBIDDEN')
    for (const _ of [1, 2]) expect(await respond('lee')).toMatchObject({ decision: 'pending' })
    // Not enough: the run still waits.
    expect(waiting(await runtime.runs.resume(run.runId).result()).approvalId).toBe(approvalId)
    expect((await runtime.approvals.get(approvalId)).approvedBy).toMatchObject([{ actor: 'lee' }])
    expect(given).toEqual([])
    expect(await respond('ann')).toMatchObject({ decision: 'approved', actor: 'ann', rule })
    expect(await runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'completed', text: 'Done.' })
    expect(given).toEqual([{ amount: 5 }])
    const events = []
    for await (const event of runtime.runs.follow(run.runId)) events.push(event)
    const decided = events.flatMap((event) => (event.type === 'approval.decided' ? [event.record] : []))
    expect(decided).toEqual((await runtime.approvals.history()).items)
    expect(verifyInclusion(await runtime.approvals.prove(0), store.publicKey)).toBe(true)
  })

  it('stays what it was when a deploy changes what needsApproval answers, and between two approvals', async () => {
    const store = await openFresh(engine)
    const first = await clerk(store, two)
    const run = first.runtime.query({ prompt: 'Refund it', actor: 'kim' })
    const { approvalId, rule } = waiting(await run.result())
    await first.runtime.approvals.respond(approvalId, approve('lee'))
    await first.runtime.close()
    for (const looser of [false, true, { required: true }, { required: true, to: 'kim' }]) {
      const later = await clerk(store, looser)
      expect(await codeOf(() => later.runtime.approvals.respond(approvalId, approve('kim')))).toBe('APPROVAL_FORBIDDEN')
      const same = await later.runtime.approvals.respond(approvalId, approve('lee'))
      expect(same).toMatchObject({ decision: 'pending', approval: { rule, approvedBy: [{ actor: 'lee' }] } })
      expect(waiting(await later.runtime.runs.resume(run.runId).result()).approvalId).toBe(approvalId)
      expect(later.given).toEqual([])
      await later.runtime.close()
    }
    const last = await clerk(store, false)
    expect(await last.runtime.approvals.respond(approvalId, approve('ann'))).toMatchObject({
      decision: 'approved',
      approvedBy: [{ actor: 'lee' }, { actor: 'ann' }],
    })
    expect(await last.runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'completed' })
    expect(last.given).toEqual([{ amount: 5 }])
  })

  it('excludes whoever asked in a queued run, and whoever handed a prompt to the run', async () => {
    const store = await openFresh(engine)
    const { runtime } = await clerk(store, { required: true, notBy: 'requester' })
    const thread = { threadId: 'chat' }
    const first = await runtime.query({ ...thread, prompt: 'Refund it', actor: 'kim' }).result()
    const asked = waiting(first)
    // One who comes later is no requester of what was asked before.
    const steered = runtime.query({ ...thread, prompt: 'Refund another', actor: 'lee', whenBusy: 'steer' })
    const both = waiting(await steered.result())
    const others = (await runtime.approvals.pending()).items.filter(({ approvalId }) => approvalId !== asked.approvalId)
    expect([asked, ...others].map(({ rule }) => rule?.requesters)).toEqual([['kim'], ['kim', 'lee']])
    expect(both.runId).toBe(first.runId)
    const [second] = others
    for (const actor of ['kim', 'lee']) {
      const call = () => runtime.approvals.respond(second?.approvalId ?? '', approve(actor))
      expect(await codeOf(call)).toBe('APPROVAL_FORBIDDEN')
    }
    await runtime.approvals.respond(asked.approvalId, approve('lee'))
    const queued = runtime.query({ ...thread, prompt: 'Refund more', actor: 'ann', whenBusy: 'queue' })
    await runtime.approvals.respond(second?.approvalId ?? '', approve('bob'))
    expect(await runtime.runs.resume(first.runId).result()).toMatchObject({ status: 'completed' })
    expect(waiting(await queued.result()).rule?.requesters).toEqual(['ann'])
    const third = await onlyPending(runtime)
    expect(await codeOf(() => runtime.approvals.respond(third.approvalId, approve('ann')))).toBe('APPROVAL_FORBIDDEN')
    expect(await runtime.approvals.respond(third.approvalId, approve('kim'))).toMatchObject({ decision: 'approved' })
  })

  it('excludes whoever asked the run whose call another run goes on with', async () => {
    const store = await openFresh(engine)
    const tool = defineTool({ ...refund, name: 'refund', input, whileWaiting: 'continue' })
    let asks = 0
    const handler = (_: unknown, { resumed }: { resumed?: unknown }) =>
      resumed === undefined ? waitFor.event({ name: 'paid' }) : 'refunded'
    const { runtime } = await clerk(
      store,
      // Not at first: the rule comes with the call that is made again.
      () => {
        asks += 1
        return asks === 1 ? false : { required: true, notBy: 'requester' }
      },
      { tools: { refund: handler } as never },
      specWith(tool as never),
    )
    const run = runtime.query({ prompt: 'Refund it', actor: 'kim', threadId: 'chat' })
    expect(await run.result()).toMatchObject({ status: 'completed', waiting: ['call-0'] })
    const [wait] = (await runtime.waits.list()).items
    await runtime.waits.settle(wait?.waitId ?? '', { value: 'paid' }, { actor: 'bank' })
    const second = await runtime.runs.resume(run.runId).result()
    expect(second.runId).not.toBe(run.runId)
    const approval = await onlyPending(runtime)
    expect(approval).toMatchObject({ runId: second.runId, rule: { requesters: ['kim'] } })
    expect(await codeOf(() => runtime.approvals.respond(approval.approvalId, approve('kim')))).toBe(
      'APPROVAL_FORBIDDEN',
    )
    await runtime.approvals.respond(approval.approvalId, approve('bank'))
    await runtime.runs.resume(run.runId).result()
    expect(await runtime.approvals.pending()).toEqual({ items: [] })
  })

  it('holds for a call of an agent that another agent calls', async () => {
    const store = await openFresh(engine)
    const spec = defineRuntime({
      tenant: acme,
      agents: [
        defineCoordinator({ name: 'front', model: 'test/front', prompt: 'x', routes: ['clerk'] }),
        defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.', tools: [refund] }),
      ],
    })
    const model = sayingModel(({ modelId, messages }) => {
      if (messages.at(-1)?.role !== 'user') return says('Done.')
      return modelId === 'front' ? calls(['clerk', { task: 'Refund' }]) : calls(['refund', { amount: 5 }])
    })
    const { runtime, given } = await clerk(store, two, { models: { test: model } }, spec)
    const run = runtime.query({ prompt: 'Refund it', actor: 'kim' })
    const { approvalId, rule } = waiting(await run.result())
    expect(rule?.requesters).toEqual(['kim'])
    expect(await codeOf(() => runtime.approvals.respond(approvalId, approve('kim')))).toBe('APPROVAL_FORBIDDEN')
    for (const actor of ['lee', 'ann']) await runtime.approvals.respond(approvalId, approve(actor))
    expect(await runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'completed' })
    expect(given).toEqual([{ amount: 5 }])
  })

  it('is not replaced by the approval of a plan', async () => {
    const store = await openFresh(engine)
    const plan = { goal: 'x', steps: [{ id: 'a', tool: 'refund', input: { amount: 5 } }] }
    const model = sayingModel(({ modelId, messages }) => {
      if (modelId === 'planner') return says(JSON.stringify(plan))
      return messages.length > 1 ? says('Done.') : calls(['planner', { task: 'x' }])
    })
    for (const need of [two, true]) {
      const { runtime, given } = await clerk(store, need, { models: { test: model } }, planningSpec([refund]))
      const run = runtime.query({ prompt: 'Go', actor: 'kim' })
      const ofPlan = waiting(await run.result())
      expect(ofPlan.subject).toHaveProperty('planHash')
      await runtime.approvals.respond(ofPlan.approvalId, approve('kim'))
      const after = await runtime.runs.resume(run.runId).result()
      // Without a rule, the plan's approval covers the step.
      expect([after.status, given.length]).toEqual(need === true ? ['completed', 1] : ['suspended', 0])
      if (need !== true) expect(waiting(after)).toMatchObject({ subject: { tool: 'refund' }, rule: { quorum: 2 } })
    }
  })

  it('holds for the approval of a call that was cut off', async () => {
    const store = await openFresh(engine)
    const begun = gate()
    const hanging = { refund: () => begun.open() ?? new Promise(() => {}) } as never
    const first = await clerk(store, { ...two, quorum: 1 }, { tools: hanging })
    const run = first.runtime.query({ prompt: 'Refund it', actor: 'kim' })
    await first.runtime.approvals.respond(waiting(await run.result()).approvalId, approve('lee'))
    const resumed = failureOf(() => first.runtime.runs.resume(run.runId).result())
    await begun.opened
    await first.runtime.close()
    expect((await resumed).code).toBe('CLOSED')
    const second = await clerk(store, two)
    const again = waiting(await second.runtime.runs.resume(run.runId).result())
    expect(again.rule).toMatchObject({ quorum: 2, requesters: ['kim'] })
    expect(second.given).toEqual([])
  })

  it('an approver is asked until the quorum is complete, and the run waits if it does not get further', async () => {
    const store = await openFresh(engine)
    const asked: (readonly string[])[] = []
    const approver = (...answers: ApproverAnswer[]) => ({
      approve: async ({ approvedBy = [] }: Approval): Promise<ApproverAnswer> => {
        asked.push(approvedBy.map(({ actor }) => actor))
        return answers[asked.length - 1] ?? { decision: 'defer' }
      },
    })
    const enough = await clerk(store, two, approver(approve('lee'), approve('ann')))
    expect(await enough.runtime.query({ prompt: 'Refund it', actor: 'kim' }).result()).toMatchObject({
      status: 'completed',
    })
    expect([asked, enough.given]).toEqual([[[], ['lee']], [{ amount: 5 }]])
    for (const answer of [approve('lee'), approve('kim'), { decision: 'reject', actor: 'bob' } as const]) {
      asked.length = 0
      const { runtime, given } = await clerk(store, two, approver(approve('lee'), answer))
      const run = runtime.query({ prompt: 'Refund it', actor: 'kim' })
      expect(waiting(await run.result()).approvedBy).toMatchObject([{ actor: 'lee' }])
      expect([asked, given]).toEqual([[[], ['lee']], []])
      await runtime.runs.cancel(run.runId)
    }
  })

  it('an answer of needsApproval that is not understood fails the run, and nothing is asked', async () => {
    const store = await openFresh(engine)
    const wrong: unknown[] = [
      undefined,
      null,
      'yes',
      1,
      [],
      {},
      { required: 'yes' },
      { required: undefined },
      { to: ['lee'] },
      { required: true, to: undefined },
      { required: true, to: [] },
      { required: true, quorum: 0 },
      { required: true, quorom: 2 },
      { required: true, notBy: undefined },
      { required: true, to: 'lee', quorum: 2 },
      { required: true, to: 'kim', notBy: 'requester' },
    ]
    for (const answer of wrong) {
      const { runtime, given } = await clerk(store, answer as ApprovalNeed)
      const result = await runtime.query({ prompt: 'Refund it', actor: 'kim' }).result()
      expect([answer, result]).toMatchObject([answer, { status: 'failed', error: { code: 'CALLBACK_FAILED' } }])
      expect(given).toEqual([])
    }
    // Nobody is known who asked.
    const { runtime } = await clerk(store, two)
    expect(await runtime.query('Refund it').result()).toMatchObject({ error: { code: 'CALLBACK_FAILED' } })
    expect((await runtime.approvals.pending()).items).toEqual([])
    // What needs no approval needs no rule.
    const free = await clerk(store, { required: false, to: ['lee'], quorum: 1 })
    expect(await free.runtime.query('Refund it').result()).toMatchObject({ status: 'completed' })
    expect(free.given).toEqual([{ amount: 5 }])
  })
})
