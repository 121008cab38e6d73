import { describe, expect, it } from 'vitest'
import {
  type ApprovalQuestion,
  type Checkpoint,
  createRuntime,
  defineRuntime,
  QuotaExceededError,
  verifyConsistency,
  verifyInclusion,
} from '../../ts/index.ts'
import { codeOf, failureOf, visible } from '../support/failures.ts'
import { engines, noon, openFresh, runtimeFor } from '../support/stores.ts'
import { acme } from '../unit/support.ts'

const DAY = 24 * 60 * 60 * 1000
const refund: ApprovalQuestion = { tool: 'refund', input: { order: 7, amount: 1.5 } }
const yes = { decision: 'approve', actor: 'kim' } as const
const no = { decision: 'reject', actor: 'kim', reason: 'too much' } as const

describe.each(engines)('approvals on %s', (engine) => {
  it('are asked, decided once, and kept with their record', async () => {
    const store = await openFresh(engine, {}, { now: noon })
    const { approvals } = await runtimeFor(store)
    const asked = await approvals.request(refund, { requestedBy: 'bot' })
    expect(asked).toStrictEqual({
      approvalId: expect.stringMatching(/^approval_[a-z2-7]{32}$/),
      status: 'pending',
      subject: { tool: 'refund', input: { amount: 1.5, order: 7 } },
      subjectHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      requestedBy: 'bot',
      createdAt: noon,
      expiresAt: noon + 7 * DAY,
    })
    const { approvalId, subjectHash } = asked
    expect(await approvals.get(approvalId)).toStrictEqual(asked)
    expect((await approvals.pending()).items).toStrictEqual([asked])
    await store.advance(5)
    const record = await approvals.respond(approvalId, no)
    expect(record).toStrictEqual({
      sequence: 0,
      approvalId,
      decision: 'rejected',
      actor: 'kim',
      reason: 'too much',
      subjectHash,
      requestedBy: 'bot',
      requestedAt: noon,
      decidedAt: noon + 5,
    })
    expect(await codeOf(() => approvals.respond(approvalId, yes))).toBe('APPROVAL_CLOSED')
    expect(await approvals.get(approvalId)).toStrictEqual({ ...asked, status: 'rejected' })
    expect((await approvals.pending()).items).toEqual([])
    expect((await approvals.history()).items).toStrictEqual([record])
  })

  it('of a hundred concurrent decisions one succeeds', async () => {
    const { approvals } = await runtimeFor(await openFresh(engine))
    const { approvalId } = await approvals.request(refund)
    const outcomes = await Promise.allSettled(
      Array.from({ length: 100 }, (_, number) => approvals.respond(approvalId, number % 2 === 0 ? yes : no)),
    )
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.code] : []))
    expect(refused).toEqual(Array.from({ length: 99 }, () => 'APPROVAL_CLOSED'))
    expect((await approvals.history()).items).toHaveLength(1)
  })

  it('one that was not decided in time is recorded as expired', async () => {
    const store = await openFresh(engine, {}, { now: noon })
    const { approvals } = await runtimeFor(store)
    const { approvalId } = await approvals.request(refund, { ttlMs: 1000 })
    await store.advance(1000)
    expect(await codeOf(() => approvals.respond(approvalId, yes))).toBe('APPROVAL_CLOSED')
    expect((await approvals.get(approvalId)).status).toBe('expired')
    await approvals.request(refund, { ttlMs: 1000 })
    await store.advance(1000)
    expect((await approvals.history()).items.map(({ decision, actor }) => [decision, actor])).toEqual([
      ['expired', null],
      ['expired', null],
    ])
  })

  it('a plan is approved or rejected with its approval, as it was when it was asked about', async () => {
    const { approvals, plans } = await runtimeFor(await openFresh(engine))
    const draft = { type: 'launch', planId: 'p', goal: 'ship', steps: [] }
    const plan = await plans.save(draft)
    const first = await approvals.request({ planId: 'p' })
    expect(first.subject).toEqual({ planId: 'p', planHash: plan.hash })
    await approvals.respond(first.approvalId, yes)
    expect((await plans.load('p')).status).toBe('approved')
    const second = await approvals.request({ planId: 'p' })
    await plans.save({ ...draft, goal: 'ship more' })
    expect(await codeOf(() => approvals.respond(second.approvalId, yes))).toBe('APPROVAL_CLOSED')
    expect((await plans.load('p')).status).toBe('draft')
    expect((await approvals.get(second.approvalId)).status).toBe('withdrawn')
    expect((await plans.history('p')).map(({ status }) => status)).toEqual(['approved', 'draft'])
    expect(await codeOf(() => approvals.request({ planId: 'none' }))).toBe('NOT_FOUND')
  })

  it('the ledger is proved to any holder of the public key', async () => {
    const store = await openFresh(engine)
    const { approvals } = await runtimeFor(store)
    const checkpoints: Checkpoint[] = [await approvals.checkpoint()]
    for (let count = 1; count <= 20; count += 1) {
      await approvals.respond((await approvals.request(refund)).approvalId, yes)
      checkpoints.push(await approvals.checkpoint())
    }
    const other = await runtimeFor(store, 'other')
    await other.approvals.respond((await other.approvals.request(refund)).approvalId, yes)
    const foreign = await other.approvals.checkpoint()
    const origin = (checkpoints[0] as Checkpoint).note.split('\n', 1)[0] as string
    const elsewhere = (await openFresh(engine)).publicKey
    for (let sequence = 0; sequence < 20; sequence += 1) {
      const proof = JSON.parse(JSON.stringify(await approvals.prove(sequence)))
      expect(JSON.stringify(proof).length).toBeLessThan(1500)
      expect(verifyInclusion(proof, store.publicKey, origin)).toBe(true)
      expect(verifyInclusion(proof, elsewhere)).toBe(false)
      proof.record.actor = 'somebody else'
      expect(verifyInclusion(proof, store.publicKey, origin)).toBe(false)
    }
    for (const from of checkpoints) {
      expect(verifyConsistency(await approvals.proveConsistency(from), store.publicKey, origin)).toBe(true)
      expect(await approvals.verify({ against: from })).toStrictEqual({ ok: true, size: 20, problems: [] })
    }
    expect(verifyInclusion(await other.approvals.prove(0), store.publicKey, origin)).toBe(false)
    for (const bad of [foreign, { ...foreign, size: 3 }, {} as Checkpoint, null as never]) {
      expect(await codeOf(() => approvals.proveConsistency(bad))).toBe('INVALID_INPUT')
      expect(await codeOf(() => approvals.verify({ against: bad }))).toBe('INVALID_INPUT')
    }
    for (const sequence of [20, 2 ** 40]) {
      expect(await codeOf(() => approvals.prove(sequence))).toBe('NOT_FOUND')
    }
    for (const sequence of [-1, 0.5, Number.NaN, '0' as never]) {
      expect(await codeOf(() => approvals.prove(sequence))).toBe('INVALID_INPUT')
    }
  })

  it('an approval of another tenant is not found, as if it never existed', async () => {
    const store = await openFresh(engine)
    const { approvalId } = await (await runtimeFor(store)).approvals.request(refund)
    const { approvals } = await runtimeFor(store, 'other')
    await approvals.request(refund)
    for (const call of [(id: string) => approvals.get(id), (id: string) => approvals.respond(id, yes)]) {
      const absent = visible(await failureOf(() => call(`approval_${'a'.repeat(32)}`)))
      for (const id of [approvalId, '', 'approval_', approvalId.toUpperCase(), '\ud800', 7 as never]) {
        expect(visible(await failureOf(() => call(id)))).toEqual(absent)
      }
      expect(await codeOf(() => call(approvalId))).toBe('NOT_FOUND')
    }
    expect((await approvals.pending()).items).toHaveLength(1)
    expect((await approvals.history()).items).toEqual([])
  })

  it('pages continue where they ended', async () => {
    const { approvals } = await runtimeFor(await openFresh(engine))
    const ids: string[] = []
    for (let count = 0; count < 5; count += 1) ids.push((await approvals.request(refund)).approvalId)
    const first = await approvals.pending({ limit: 3 })
    const rest = await approvals.pending({ limit: 3, cursor: first.cursor as string })
    expect([...first.items, ...rest.items].map((item) => item.approvalId)).toEqual([...ids].reverse())
    for (const id of ids) await approvals.respond(id, yes)
    const early = await approvals.history({ limit: 2 })
    const late = await approvals.history({ limit: 3, cursor: early.cursor as string })
    expect([...early.items, ...late.items].map((item) => item.approvalId)).toEqual(ids)
    expect(late.cursor).toBeUndefined()
    for (const bad of [{ limit: 0 }, { cursor: '' }, { cursor: first.cursor as string }]) {
      expect(await codeOf(() => approvals.history(bad))).toBe('INVALID_INPUT')
    }
  })

  it('as many wait as the limit allows', async () => {
    const spec = defineRuntime({ tenant: acme, limits: { pendingApprovals: 1 } })
    const { approvals } = await createRuntime(spec, { store: await openFresh(engine) })
    await approvals.request(refund)
    const error = await failureOf(() => approvals.request(refund))
    expect(error).toBeInstanceOf(QuotaExceededError)
    expect(error).toMatchObject({ quota: 'pendingApprovals', limit: 1, used: 1 })
  })

  it('invalid requests and decisions are refused', async () => {
    const { approvals } = await runtimeFor(await openFresh(engine))
    const questions: unknown[] = [undefined, null, 'x', {}, { tool: 'a' }, { tool: 'a b', input: 1 }, { planId: 1 }]
    for (const question of [...questions, { ...refund, planId: 'p' }, { tool: 'a', input: 1n }]) {
      expect(await codeOf(() => approvals.request(question as ApprovalQuestion))).toBe('INVALID_INPUT')
    }
    for (const options of [{ ttlMs: 0 }, { ttlMs: 0.5 }, { requestedBy: '' }, { requestedBy: '\ud800' }]) {
      expect(await codeOf(() => approvals.request(refund, options))).toBe('INVALID_INPUT')
    }
    const { approvalId } = await approvals.request(refund)
    const answers: unknown[] = [null, {}, { decision: 'approve' }, { decision: 'approve', actor: '' }]
    for (const answer of [...answers, { decision: 'approved', actor: 'kim' }, { ...yes, reason: '' }]) {
      expect(await codeOf(() => approvals.respond(approvalId, answer as typeof yes))).toBe('INVALID_INPUT')
    }
    expect((await approvals.get(approvalId)).status).toBe('pending')
  })
})
