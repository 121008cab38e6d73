// The rule of an approval that the host's own code requests: who may decide, how many must approve, and not whoever asked.
import { describe, expect, it } from 'vitest'
import type { Approval, ApprovalRecord, ApprovalRuleRequest } from '../../ts/index.ts'
import { ApprovalForbiddenError, verifyInclusion } from '../../ts/index.ts'
import { codeOf, failureOf, visible } from '../support/failures.ts'
import { engines, noon, openFresh, runtimeFor } from '../support/stores.ts'

const refund = { tool: 'refund', input: { order: 7 } }
const approve = (actor: string) => ({ decision: 'approve', actor }) as const
const reject = (actor: string) => ({ decision: 'reject', actor }) as const
const two = { to: ['lee', 'ann', 'bot'], quorum: 2, notBy: 'requester' } as const
const fixed = { to: ['ann', 'bot', 'lee'], quorum: 2, notBy: 'requester', requesters: ['bot'] }

describe.each(engines)('rules of approvals on %s', (engine) => {
  it('an approval with a quorum shows its rule and who has approved, and the ledger has both', async () => {
    const store = await openFresh(engine, {}, { now: noon })
    const { approvals } = await runtimeFor(store)
    const asked = await approvals.request(refund, { requestedBy: 'bot', rule: two })
    expect(asked).toMatchObject({ status: 'pending', rule: fixed })
    expect(asked).not.toHaveProperty('approvedBy')
    const { approvalId } = asked
    const approved = { ...asked, approvedBy: [{ actor: 'lee', reason: 'It broke.', at: noon }] }
    const first = { ...approve('lee'), reason: 'It broke.' }
    expect(await approvals.respond(approvalId, first)).toStrictEqual({ decision: 'pending', approval: approved })
    // The same person again counts once, and gets the same answer.
    expect(await approvals.respond(approvalId, approve('lee'))).toStrictEqual({
      decision: 'pending',
      approval: approved,
    })
    expect(await approvals.get(approvalId)).toStrictEqual(approved)
    expect((await approvals.pending()).items).toStrictEqual([approved])
    expect((await approvals.history()).items).toEqual([])
    await store.advance(5)
    const approvedBy = [...approved.approvedBy, { actor: 'ann', at: noon + 5 }]
    const record = (await approvals.respond(approvalId, approve('ann'))) as ApprovalRecord
    expect(record).toStrictEqual({
      sequence: 0,
      approvalId,
      decision: 'approved',
      actor: 'ann',
      subjectHash: asked.subjectHash,
      rule: fixed,
      approvedBy,
      requestedBy: 'bot',
      requestedAt: noon,
      decidedAt: noon + 5,
    })
    expect(await approvals.get(approvalId)).toStrictEqual({ ...asked, status: 'approved', approvedBy })
    expect(await codeOf(() => approvals.respond(approvalId, approve('lee')))).toBe('APPROVAL_CLOSED')
    const proof = JSON.parse(JSON.stringify(await approvals.prove(0)))
    expect(verifyInclusion(proof, store.publicKey)).toBe(true)
    for (const spoil of [
      (changed: ApprovalRecord) => ({ ...changed, rule: { ...fixed, quorum: 1 } }),
      (changed: ApprovalRecord) => ({ ...changed, approvedBy: [{ actor: 'ann', at: noon + 5 }] }),
      ({ rule: _, ...changed }: ApprovalRecord) => changed,
      ({ approvedBy: _, ...changed }: ApprovalRecord) => changed,
    ]) {
      expect(verifyInclusion({ ...proof, record: spoil(proof.record) }, store.publicKey)).toBe(false)
    }
    expect(await approvals.verify()).toStrictEqual({ ok: true, size: 1, problems: [] })
  })

  it('whoever may not decide is refused, and nothing is recorded', async () => {
    const { approvals } = await runtimeFor(await openFresh(engine))
    const asked = await approvals.request(refund, { requestedBy: 'bot', rule: two })
    for (const actor of ['bot', 'kim', 'Lee', 'lee ', 'le']) {
      for (const response of [approve(actor), reject(actor)]) {
        const failure = await failureOf(() => approvals.respond(asked.approvalId, response))
        expect(failure).toBeInstanceOf(ApprovalForbiddenError)
        expect(failure.message).toContain(JSON.stringify(actor))
      }
    }
    expect(await approvals.get(asked.approvalId)).toStrictEqual(asked)
    expect((await approvals.history()).items).toEqual([])
  })

  it('one rejection rejects, and the record keeps who had approved', async () => {
    const { approvals } = await runtimeFor(await openFresh(engine))
    const { approvalId } = await approvals.request(refund, { requestedBy: 'bot', rule: two })
    await approvals.respond(approvalId, approve('lee'))
    // Even of somebody who had approved.
    const record = await approvals.respond(approvalId, reject('lee'))
    expect(record).toMatchObject({ decision: 'rejected', actor: 'lee', rule: fixed, approvedBy: [{ actor: 'lee' }] })
    expect(await codeOf(() => approvals.respond(approvalId, approve('ann')))).toBe('APPROVAL_CLOSED')
  })

  it('a plan is approved once its quorum is complete, and not at all if it has changed meanwhile', async () => {
    const { approvals, plans } = await runtimeFor(await openFresh(engine))
    const draft = { type: 'launch', planId: 'p', goal: 'ship', steps: [] }
    await plans.save(draft)
    const first = await approvals.request({ planId: 'p' }, { rule: { quorum: 2 } })
    await approvals.respond(first.approvalId, approve('lee'))
    expect((await plans.load('p')).status).toBe('draft')
    await approvals.respond(first.approvalId, approve('ann'))
    expect((await plans.load('p')).status).toBe('approved')
    await plans.save({ ...draft, goal: 'more' })
    const second = await approvals.request({ planId: 'p' }, { rule: { quorum: 2 } })
    await approvals.respond(second.approvalId, approve('lee'))
    await plans.save({ ...draft, goal: 'all' })
    expect(await codeOf(() => approvals.respond(second.approvalId, approve('ann')))).toBe('APPROVAL_CLOSED')
    expect(await approvals.get(second.approvalId)).toMatchObject({ status: 'withdrawn' })
    expect((await plans.load('p')).status).toBe('draft')
  })

  it('of many at once through two handles, each person counts once', async () => {
    const store = await openFresh(engine)
    const handles = [await runtimeFor(store), await runtimeFor(store, 'acme', 'v2')] as const
    const { approvalId } = await handles[0].approvals.request(refund, { rule: { quorum: 5 } })
    const people = Array.from({ length: 40 }, (_, at) => `person ${at % 8}`)
    const outcomes = await Promise.allSettled(
      people.map((actor, at) => (handles[at % 2] ?? handles[0]).approvals.respond(approvalId, approve(actor))),
    )
    const decided = outcomes.filter(({ status, ...rest }) => {
      return status === 'fulfilled' && (rest as { value: { decision: string } }).value.decision === 'approved'
    })
    expect(decided).toHaveLength(1)
    const approval = await handles[1].approvals.get(approvalId)
    const names = (approval.approvedBy ?? []).map(({ actor }) => actor)
    expect([new Set(names).size, names.length, approval.status]).toEqual([5, 5, 'approved'])
    expect((await handles[0].approvals.history()).items).toHaveLength(1)
  })

  it('one that is not decided in time is recorded with its rule and who had approved', async () => {
    const store = await openFresh(engine, {}, { now: noon })
    const { approvals } = await runtimeFor(store)
    const { approvalId } = await approvals.request(refund, { ttlMs: 1000, rule: { quorum: 2 } })
    await approvals.respond(approvalId, approve('lee'))
    await store.advance(1000)
    expect(await codeOf(() => approvals.respond(approvalId, approve('ann')))).toBe('APPROVAL_CLOSED')
    expect((await approvals.history()).items).toMatchObject([
      { decision: 'expired', actor: null, rule: { quorum: 2 }, approvedBy: [{ actor: 'lee' }] },
    ])
  })

  it('for another tenant there is no such approval, whoever decides', async () => {
    const store = await openFresh(engine)
    const asked: Approval = await (await runtimeFor(store)).approvals.request(refund, {
      rule: { to: 'kim', quorum: 1 },
    })
    const { approvals } = await runtimeFor(store, 'other')
    await approvals.request(refund)
    for (const actor of ['kim', 'lee']) {
      const absent = visible(await failureOf(() => approvals.respond(`approval_${'a'.repeat(32)}`, approve(actor))))
      expect(visible(await failureOf(() => approvals.respond(asked.approvalId, approve(actor))))).toEqual(absent)
    }
  })

  it('a rule that is not understood is refused, and so is one that nobody could meet', async () => {
    const { approvals } = await runtimeFor(await openFresh(engine))
    class Hidden {
      get to() {
        return undefined
      }
    }
    const rules: unknown[] = [
      null,
      [],
      { to: undefined },
      { to: [] },
      { to: [undefined] },
      { to: () => 'kim' },
      { to: new Set(['kim']) },
      { to: '' },
      { quorum: 0 },
      { quorum: 1.5 },
      { quorum: undefined },
      { quorum: Number.NaN },
      { notBy: 'kim' },
      { notBy: undefined },
      { quorom: 2 },
      { toJSON: () => ({}) },
      new Hidden(),
      { to: 'kim', quorum: 2 },
      { to: 'bot', notBy: 'requester' },
    ]
    for (const rule of rules) {
      const call = () => approvals.request(refund, { requestedBy: 'bot', rule: rule as ApprovalRuleRequest })
      expect([rule, await codeOf(call)]).toEqual([rule, 'INVALID_INPUT'])
    }
    // Nobody is known who asked.
    expect(await codeOf(() => approvals.request(refund, { rule: { notBy: 'requester' } }))).toBe('INVALID_INPUT')
    expect((await approvals.pending()).items).toEqual([])
    expect(await approvals.request(refund, { rule: {} })).not.toHaveProperty('rule')
  })
})
