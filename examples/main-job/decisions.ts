import { strictEqual } from 'node:assert/strict'
import { type Runtime, type Store, verifyInclusion } from 'bailiwick'
import type { Result } from './analysis.ts'
import { tick } from './terminal.ts'

/** Saves a plan to publish a result, lets a person approve it, and proves the decision to a party without the store. */
export async function decide(store: Store, runtime: Runtime, result: Result): Promise<void> {
  const { plans, approvals, traces } = runtime
  const plan = await plans.save({
    type: 'publication',
    goal: `Publish: ${result.title}`,
    steps: [{ id: 'publish', tool: 'publish', input: { result: result.reference.id } }],
  })
  tick(`a plan is saved: ${plan.goal} (version ${plan.version}, hash ${plan.hash.slice(0, 12)}…)`)

  const approval = await approvals.request({ planId: plan.planId }, { requestedBy: 'analyst' })
  const record = await approvals.respond(approval.approvalId, {
    decision: 'approve',
    actor: 'editor',
    reason: 'The figures agree with the source.',
  })
  if (record.decision === 'pending') throw new Error('A request without a rule is decided by one person.')
  strictEqual((await plans.load(plan.planId)).status, 'approved')
  tick(`asked by ${record.requestedBy}, approved by ${record.actor}: record ${record.sequence} of the ledger`)

  const proof = await approvals.prove(record.sequence)
  const sent = JSON.parse(JSON.stringify(proof))
  strictEqual(verifyInclusion(sent, store.publicKey), true)
  strictEqual(verifyInclusion({ ...sent, record: { ...sent.record, actor: 'somebody else' } }, store.publicKey), false)
  tick(
    `a proof of that record (root ${proof.checkpoint.rootHash.slice(0, 12)}…) holds; the same with another actor does not`,
  )

  const verified = await approvals.verify()
  strictEqual(verified.ok, true)
  const { items } = await traces.list({ limit: 3 })
  strictEqual(items[0]?.type, 'plan.saved')
  tick(
    `the whole ledger verifies (${verified.size} records); the newest events of the tenant: ${items.map(({ type }) => type).join(', ')}`,
  )
}
