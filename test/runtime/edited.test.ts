// The input that a person edits before they approve: checked as that of a call, and recorded beside the one that was asked about.
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  type ApprovalRecord,
  type ApprovalResponse,
  createRuntime,
  defineReference,
  defineRuntime,
  defineTenant,
  defineTool,
  InvalidInputError,
  type JsonValue,
  type Store,
  verifyInclusion,
} from '../../ts/index.ts'
import { codeOf, failureOf, visible } from '../support/failures.ts'
import { engines, openFresh, runtimeFor } from '../support/stores.ts'

const refund = defineTool({
  name: 'refund',
  description: 'Refunds',
  input: {
    type: 'object',
    properties: { order: { type: 'integer' }, amount: { type: 'number', maximum: 100 }, bill: { type: 'string' } },
    required: ['order'],
  },
  references: { bill: defineReference({ name: 'bill' }) },
})
const pay = defineTool({
  name: 'pay',
  description: 'Pays',
  input: z.object({
    euros: z.number().refine((euros) => euros % 2 === 0, 'must be even'),
    to: z.string().default('kim'),
  }),
})
const asked = { tool: 'refund', input: { order: 7, amount: 50 } }

function runtimeOf(store: Store, resourceId = 'acme') {
  const spec = defineRuntime({ tenant: defineTenant(resourceId, 'v1'), tools: [refund, pay] })
  return createRuntime(spec, { store })
}

function editing(input: JsonValue, actor = 'kim'): ApprovalResponse {
  return { decision: 'approve', actor, input }
}

describe.each(engines)('an edited input on %s', (engine) => {
  it('is kept with the approval, and its hash is in the ledger beside that of the input that was asked about', async () => {
    const store = await openFresh(engine)
    const { approvals } = await runtimeOf(store)
    const before = await approvals.request(asked)
    const input = { amount: 20, order: 7 }
    const record = (await approvals.respond(before.approvalId, editing(input))) as ApprovalRecord
    const { subjectHash } = before
    expect(record).toMatchObject({
      decision: 'approved',
      subjectHash,
      editedHash: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    expect(record.editedHash).not.toBe(subjectHash)
    const after = await approvals.get(before.approvalId)
    expect(after).toStrictEqual({ ...before, status: 'approved', editedInput: input })
    expect((await approvals.history()).items).toStrictEqual([record])
    const proof = await approvals.prove(0)
    expect(verifyInclusion(proof, store.publicKey)).toBe(true)
    const { editedHash: _, ...unedited } = proof.record
    for (const other of [unedited, { ...record, editedHash: subjectHash }]) {
      expect(verifyInclusion({ ...proof, record: other }, store.publicKey)).toBe(false)
    }
    // The hash is that of an approval of exactly this input, of this tenant alone.
    const again = (await approvals.respond(
      (
        await approvals.request(asked)
      ).approvalId,
      editing(input),
    )) as ApprovalRecord
    expect(again.editedHash).toBe(record.editedHash)
    const other = (await approvals.respond(
      (
        await approvals.request(asked)
      ).approvalId,
      editing({ order: 8 }),
    )) as ApprovalRecord
    expect(other.editedHash).not.toBe(record.editedHash)
    expect(await approvals.verify()).toStrictEqual({ ok: true, size: 3, problems: [] })
    expect(await codeOf(() => approvals.respond(before.approvalId, editing(input)))).toBe('APPROVAL_CLOSED')
  })

  it('that is the one that was asked about is no edit', async () => {
    const { approvals } = await runtimeOf(await openFresh(engine))
    const { approvalId } = await approvals.request(asked)
    expect(await approvals.respond(approvalId, editing({ amount: 50, order: 7.0 }))).not.toHaveProperty('editedHash')
    expect(await approvals.get(approvalId)).not.toHaveProperty('editedInput')
  })

  it('that does not fit is refused with what is wrong, and the approval stays pending', async () => {
    const store = await openFresh(engine)
    const { approvals, references } = await runtimeOf(store)
    const foreign = await (await runtimeOf(store, 'other')).references.put('bill', 'x')
    const own = await references.put('bill', 'y')
    const before = await approvals.request(asked)
    const wrong: [unknown, string][] = [
      [{}, 'order'],
      [{ order: 'seven' }, 'order'],
      [{ order: 7, amount: 101 }, 'amount'],
      [null, 'refund'],
      ['text', 'refund'],
      [{ order: 7, bill: foreign.id }, 'bill'],
      [{ order: 7, bill: 'ref_x' }, 'bill'],
      [{ order: 7, note: 'x'.repeat(1 << 20) }, '1 MiB'],
      [{ order: 7, note: new Map() }, 'Map'],
      [{ order: 1n }, 'BigInt'],
      [() => 1, 'function'],
    ]
    for (const [input, named] of wrong) {
      const failure = await failureOf(() => approvals.respond(before.approvalId, editing(input as JsonValue)))
      expect(failure).toBeInstanceOf(InvalidInputError)
      expect([input, failure.message]).toEqual([input, expect.stringContaining(named)])
    }
    expect(await approvals.get(before.approvalId)).toStrictEqual(before)
    expect((await approvals.history()).items).toEqual([])
    expect(await approvals.respond(before.approvalId, editing({ order: 7, bill: own.id }))).toMatchObject({
      decision: 'approved',
    })
  })

  it('is validated by the own schema of its tool, and kept as it was before that transforms it', async () => {
    const { approvals } = await runtimeOf(await openFresh(engine))
    const { approvalId } = await approvals.request({ tool: 'pay', input: { euros: 2 } })
    const failure = await failureOf(() => approvals.respond(approvalId, editing({ euros: 3 })))
    expect([failure.code, failure.message]).toEqual(['INVALID_INPUT', expect.stringContaining('must be even')])
    await approvals.respond(approvalId, editing({ euros: 4 }))
    expect(await approvals.get(approvalId)).toMatchObject({ editedInput: { euros: 4 } })
  })

  it('goes with the approval of a tool by one person alone', async () => {
    const { approvals, plans } = await runtimeOf(await openFresh(engine))
    await plans.save({ type: 'launch', planId: 'p', goal: 'ship', steps: [] })
    const rule = { quorum: 2 }
    const cases = [
      [await approvals.request({ planId: 'p' }), editing({})],
      [await approvals.request(asked, { rule }), editing({ order: 8 })],
      [await approvals.request({ tool: 'unknown', input: {} }), editing({ order: 8 })],
      [await approvals.request(asked), { decision: 'reject', actor: 'kim', input: { order: 8 } }],
    ] as const
    for (const [approval, response] of cases) {
      expect(await codeOf(() => approvals.respond(approval.approvalId, response))).toBe('INVALID_INPUT')
      expect(await approvals.get(approval.approvalId)).toStrictEqual(approval)
    }
    const [, [ruled]] = cases
    // One who may not decide is told no more.
    const asks = await approvals.request(asked, { requestedBy: 'bot', rule: { notBy: 'requester' } })
    expect(await codeOf(() => approvals.respond(asks.approvalId, editing({}, 'bot')))).toBe('APPROVAL_FORBIDDEN')
    await approvals.respond(asks.approvalId, editing({ order: 9 }))
    // All of several people approve what was asked.
    for (const actor of ['kim', 'lee']) await approvals.respond(ruled.approvalId, { decision: 'approve', actor })
    expect(await approvals.get(ruled.approvalId)).toMatchObject({ status: 'approved', subject: asked })
  })

  it('of another tenant is refused like one of an approval that never existed', async () => {
    const store = await openFresh(engine)
    const { approvalId } = await (await runtimeOf(store)).approvals.request(asked)
    const { approvals } = await runtimeOf(store, 'other')
    await approvals.request(asked)
    for (const input of [{ order: 8 }, {}, null] as JsonValue[]) {
      const absent = visible(await failureOf(() => approvals.respond(`approval_${'a'.repeat(32)}`, editing(input))))
      for (const id of [approvalId, '', 'approval_', '\ud800']) {
        expect(visible(await failureOf(() => approvals.respond(id, editing(input))))).toEqual(absent)
      }
    }
    expect(await codeOf(() => approvals.respond(approvalId, editing({ order: 8 })))).toBe('NOT_FOUND')
  })

  it('counts for its tenant, and one that the limit does not allow leaves the approval pending', async () => {
    const store = await openFresh(engine)
    const spec = defineRuntime({ tenant: defineTenant('acme', 'v1'), tools: [refund], limits: { bytes: 3000 } })
    const { approvals } = await createRuntime(spec, { store })
    const { approvalId } = await approvals.request(asked)
    const large = { order: 7, note: 'x'.repeat(2500) }
    expect(await codeOf(() => approvals.respond(approvalId, editing(large)))).toBe('QUOTA_EXCEEDED')
    expect(await approvals.get(approvalId)).toMatchObject({ status: 'pending' })
    await approvals.respond(approvalId, editing({ order: 8 }))
    // A runtime without the tool cannot say whether it fits.
    const bare = await runtimeFor(store)
    const second = await bare.approvals.request(asked)
    expect(await codeOf(() => bare.approvals.respond(second.approvalId, editing({ order: 8 })))).toBe('INVALID_INPUT')
  })

  it('of many at once, one is recorded', async () => {
    const store = await openFresh(engine)
    const handles = [await runtimeOf(store), await runtimeOf(store)] as const
    const { approvalId } = await handles[0].approvals.request(asked)
    const outcomes = await Promise.allSettled(
      Array.from({ length: 30 }, (_, order) =>
        handles[order % 2 === 0 ? 0 : 1].approvals.respond(approvalId, editing({ order })),
      ),
    )
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.code] : []))
    expect(refused).toEqual(Array.from({ length: 29 }, () => 'APPROVAL_CLOSED'))
    const { editedInput } = await handles[0].approvals.get(approvalId)
    const [record] = (await handles[1].approvals.history()).items
    const won = outcomes.findIndex(({ status }) => status === 'fulfilled')
    expect([editedInput, record?.decision]).toEqual([{ order: won }, 'approved'])
  })
})
