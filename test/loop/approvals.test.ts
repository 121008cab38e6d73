import { describe, expect, it } from 'vitest'
import {
  type Approval,
  createRuntime,
  defineRuntime,
  defineSpecialist,
  defineTool,
  type RunResult,
  type RuntimeOptions,
  type Store,
  withTenant,
} from '../../ts/index.ts'
import { codeOf, failureOf } from '../support/failures.ts'
import { engines, openFresh } from '../support/stores.ts'
import { acme, globex } from '../unit/support.ts'
import { calls, kindsOf, says, script } from './models.ts'

function specWith(description = 'x', approval: 'always' | 'dynamic' = 'always') {
  const input = { type: 'object', properties: { amount: { type: 'number', description } } } as const
  const refund = defineTool({ name: 'refund', description: 'Refunds', input, approval })
  return defineRuntime({
    tenant: acme,
    agents: [defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.', tools: [refund] })],
  })
}

/** A runtime whose model asks for a refund and then answers, and what the tool was given. */
async function clerk(store: Store, options: Partial<RuntimeOptions> = {}, spec = specWith()) {
  const given: unknown[] = []
  const model = script(calls(['refund', { amount: 5 }]), says('Refunded.'))
  const tools = {
    refund: (input: unknown) => {
      given.push(input)
      return 'done'
    },
  }
  const runtime = await createRuntime(spec, { store, models: { test: model }, tools, ...options })
  return { runtime, given, model }
}

function waiting(result: RunResult<unknown>): Approval {
  if (result.status !== 'suspended') throw new Error(`It is ${result.status}.`)
  return result.approvals[0] as Approval
}

describe.each(engines)('approvals in a run on %s', (engine) => {
  it('without an approver a run is suspended, and continues in another runtime after the approval', async () => {
    const store = await openFresh(engine)
    const first = await clerk(store)
    const run = first.runtime.query({ prompt: 'Refund it', actor: 'kim' })
    const approval = waiting(await run.result())
    expect(approval).toMatchObject({
      status: 'pending',
      runId: run.runId,
      threadId: run.threadId,
      requestedBy: 'kim',
      subject: { tool: 'refund', input: { amount: 5 } },
    })
    expect(await kindsOf(run)).toEqual([
      'run.started',
      'agent.started',
      'model.completed',
      'approval.requested',
      'run.suspended',
    ])
    expect(first.given).toEqual([])
    expect(await first.runtime.runs.get(run.runId)).toMatchObject({ status: 'suspended' })
    // Its thread is its own until it is over.
    const busy = await failureOf(() => first.runtime.query({ prompt: 'x', threadId: run.threadId as string }).result())
    // It says whose.
    expect(busy).toMatchObject({ code: 'THREAD_BUSY', runId: run.runId, status: 'suspended' })
    // As long as nobody has decided, resuming changes nothing.
    expect(waiting(await first.runtime.runs.resume(run.runId).result())).toEqual(approval)
    await first.runtime.close()
    const second = await clerk(store, { models: { test: script(says('Refunded.')) } })
    await second.runtime.approvals.respond(approval.approvalId, { decision: 'approve', actor: 'boss' })
    const resumed = second.runtime.runs.resume(run.runId)
    expect(await resumed.result()).toMatchObject({ status: 'completed', text: 'Refunded.', threadId: run.threadId })
    expect(resumed.threadId).toBe(run.threadId)
    expect(second.given).toEqual([{ amount: 5 }])
    expect((await kindsOf(resumed)).slice(4)).toEqual([
      'run.suspended',
      'approval.decided',
      'tool.called',
      'tool.completed',
      'text.delta',
      'model.completed',
      'agent.completed',
      'run.completed',
    ])
    expect(await second.runtime.approvals.verify()).toMatchObject({ ok: true, size: 1 })
    expect(await second.runtime.query({ prompt: 'x', threadId: run.threadId as string }).result()).toMatchObject({
      status: 'failed',
      error: { code: 'MODEL_FAILED' },
    })
  })

  it('a rejection reaches the model as a failure of the call, and the tool does not run', async () => {
    const store = await openFresh(engine)
    const { runtime, given, model } = await clerk(store, {
      approve: async () => ({ decision: 'reject', actor: 'boss', reason: 'Too much.' }),
    })
    const run = runtime.query('Refund it')
    expect(await run.result()).toMatchObject({ status: 'completed' })
    expect(given).toEqual([])
    expect(model.requests[1]?.messages.at(-1)?.parts).toEqual([
      {
        type: 'tool-result',
        callId: 'call-0',
        result: { error: { code: 'REJECTED', message: 'A person rejected this. Too much.' } },
        isError: true,
      },
    ])
    expect((await runtime.approvals.history()).items).toMatchObject([{ decision: 'rejected', actor: 'boss' }])
  })

  it('an approver that names no actor fails the run, and the approval is withdrawn', async () => {
    const store = await openFresh(engine)
    for (const approve of [
      async () => ({ decision: 'approve' }) as never,
      async () => 'yes' as never,
      () => null as never,
    ]) {
      const { runtime, given } = await clerk(store, { approve })
      const run = runtime.query('Refund it')
      expect(await run.result()).toMatchObject({ status: 'failed', error: { code: 'CALLBACK_FAILED' } })
      expect(given).toEqual([])
      const [record] = (await runtime.approvals.history()).items.slice(-1)
      expect(record).toMatchObject({ decision: 'withdrawn', actor: null })
      expect((await runtime.approvals.pending()).items).toEqual([])
    }
  })

  it('an approver that fails leaves the approval pending, and the run waits', async () => {
    const store = await openFresh(engine)
    const approve = async () => {
      throw new Error('no line')
    }
    const { runtime, given } = await clerk(store, { approve })
    const run = runtime.query('Refund it')
    const approval = waiting(await run.result())
    expect((await runtime.approvals.pending()).items).toEqual([approval])
    // Whoever resumes it asks the approver again, in vain.
    expect(waiting(await runtime.runs.resume(run.runId).result())).toEqual(approval)
    await runtime.approvals.respond(approval.approvalId, { decision: 'approve', actor: 'boss' })
    expect(await runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'completed' })
    expect(given).toEqual([{ amount: 5 }])
  })

  it('a dynamic tool needs approval if needsApproval says so', async () => {
    const store = await openFresh(engine)
    const asked: unknown[] = []
    const { runtime, given } = await clerk(
      store,
      {
        needsApproval: async ({ tool, input, context }) => {
          asked.push([tool, input, context.callId, Object.isFrozen(context)])
          return false
        },
      },
      specWith('x', 'dynamic'),
    )
    expect(await runtime.query('Refund it').result()).toMatchObject({ status: 'completed' })
    expect([asked, given]).toEqual([[['refund', { amount: 5 }, 'call-0', true]], [{ amount: 5 }]])
    for (const needsApproval of [
      () => 'yes' as never,
      () => {
        throw new Error('x')
      },
    ]) {
      const wrong = await clerk(store, { needsApproval }, specWith('x', 'dynamic'))
      expect(await wrong.runtime.query('x').result()).toMatchObject({ error: { code: 'CALLBACK_FAILED' } })
      expect(wrong.given).toEqual([])
    }
    expect(await codeOf(() => clerk(store, {}, specWith('x', 'dynamic')))).toBe('SPEC_INVALID')
  })

  it('a tool whose definition has changed needs a new approval', async () => {
    const store = await openFresh(engine)
    const first = await clerk(store)
    const run = first.runtime.query('Refund it')
    const before = waiting(await run.result())
    await first.runtime.close()
    const second = await clerk(store, {}, specWith('changed'))
    const after = waiting(await second.runtime.runs.resume(run.runId).result())
    expect(after.approvalId).not.toBe(before.approvalId)
    expect(after.subjectHash).not.toBe(before.subjectHash)
    expect(await second.runtime.approvals.get(before.approvalId)).toMatchObject({ status: 'withdrawn' })
    await second.runtime.close()
    // One that was approved and changed afterwards does not run either.
    const third = await clerk(store, {}, specWith('changed'))
    await third.runtime.approvals.respond(after.approvalId, { decision: 'approve', actor: 'boss' })
    await third.runtime.close()
    const fourth = await clerk(store)
    expect(waiting(await fourth.runtime.runs.resume(run.runId).result()).approvalId).not.toBe(after.approvalId)
    expect([first.given, second.given, third.given, fourth.given]).toEqual([[], [], [], []])
  })

  it('cancelling a suspended run withdraws its approvals and frees its thread', async () => {
    const store = await openFresh(engine)
    const { runtime } = await clerk(store)
    const run = runtime.query('Refund it')
    const { approvalId } = waiting(await run.result())
    await runtime.runs.cancel(run.runId)
    expect(await runtime.runs.get(run.runId)).toMatchObject({ status: 'cancelled' })
    expect(await runtime.approvals.get(approvalId)).toMatchObject({ status: 'withdrawn' })
    const answer = { decision: 'approve', actor: 'boss' } as const
    expect(await codeOf(() => runtime.approvals.respond(approvalId, answer))).toBe('APPROVAL_CLOSED')
    expect(await runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'cancelled' })
    await runtime.runs.cancel(run.runId)
    const free = await clerk(store, { models: { test: script(says('Free.')) } })
    expect(await free.runtime.query({ prompt: 'x', threadId: run.threadId as string }).result()).toMatchObject({
      text: 'Free.',
    })
  })

  it('a run and its approvals are not found by another tenant', async () => {
    const store = await openFresh(engine)
    const { runtime } = await clerk(store)
    const run = runtime.query('Refund it')
    const { approvalId } = waiting(await run.result())
    const other = await createRuntime(withTenant(specWith(), globex), {
      store,
      models: { test: script() },
      tools: { refund: () => 1 } as never,
    })
    const answer = { decision: 'approve', actor: 'me' } as const
    const attempts = [
      () => other.runs.get(run.runId),
      () => other.runs.cancel(run.runId),
      () => other.runs.resume(run.runId).result(),
      async () => {
        for await (const event of other.runs.follow(run.runId)) throw new Error(event.type)
      },
      () => other.approvals.get(approvalId),
      () => other.approvals.respond(approvalId, answer),
    ]
    const unknown = `run_${'a'.repeat(32)}`
    const absent = await failureOf(() => other.runs.get(unknown))
    for (const attempt of attempts) {
      const failure = await failureOf(attempt)
      expect([failure.code, failure.message]).toEqual([absent.code, absent.message])
    }
    expect(await other.runs.list()).toEqual({ items: [] })
    expect(await runtime.runs.get(run.runId)).toMatchObject({ status: 'suspended' })
  })
})
