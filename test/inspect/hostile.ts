import { waitFor } from '../../ts/index.ts'
import type { OpenStore } from '../../ts/store/store.ts'
import { runtimeFor } from '../support/stores.ts'
import { suspendedRun, waitingRun } from './subject.ts'
import { stepsOf, teamRun } from './team.ts'

/** Ends text, attributes, comments, styles and scripts, and runs where any of them is taken for markup. */
export const attack = `"'><img src=x onerror=alert(1)><script>alert(2)</script></textarea></style></title><!--<svg onload=alert(3)>\u202e&lt;\0`

/** What cannot be stored in a name. */
export const attackWithoutControls = attack.replaceAll(/[\0\u202e]/g, '')

/** Fills every field that a tenant can store and the page shows with the same attack; gives the paths of all pages. */
export async function fillWithAttacks(store: OpenStore, resourceId: string): Promise<string[]> {
  const runtime = await runtimeFor(store, resourceId)
  const { references, plans, approvals, threads } = runtime
  const mediaType = `text/html;x=${attackWithoutControls}`
  const kept = await references.putMany([
    { type: 'note', value: attack },
    { type: 'note', value: { [attack]: attack } },
    { type: 'rows', value: [{ [attack]: attack, amount: 1 }] },
    { type: 'note', value: attack, mediaType },
    { type: 'note', value: new TextEncoder().encode(attack), mediaType: 'text/html' },
  ])
  const step = { id: attackWithoutControls, tool: 'refund', input: { [attack]: attack }, note: attack }
  const after = { id: 'second', tool: 'refund', input: {}, dependsOn: [attackWithoutControls] }
  const draft = { type: 'launch', planId: attackWithoutControls, goal: attack, steps: [step, after] }
  const plan = await plans.save({ ...draft, details: { [attack]: attack } })
  await plans.save(draft)
  const question = { tool: 'refund', input: { [attack]: attack } }
  const [open, decided] = [
    await approvals.request(question, { requestedBy: attack }),
    await approvals.request(question, { requestedBy: attack }),
  ]
  const ofPlan = await approvals.request({ planId: plan.planId }, { requestedBy: attack })
  await approvals.respond(decided.approvalId, { decision: 'reject', actor: attack, reason: attack })
  const reference = kept[0]?.id ?? ''
  const parts = [
    { type: 'text', text: attack },
    { type: 'reasoning', text: attack },
    { type: 'file', reference, mediaType },
    { type: 'tool-call', callId: attackWithoutControls, tool: 'refund', input: { [attack]: attack } },
  ] as const
  const result = { type: 'tool-result', callId: attackWithoutControls, result: attack } as const
  const threadId = `imported ${attackWithoutControls}`
  await threads.append(threadId, [
    { role: 'assistant', parts, createdAt: 1, actor: attackWithoutControls },
    { role: 'tool', parts: [result], createdAt: 1 },
  ])
  const runId = await suspendedRun(store, resourceId, {
    prompt: attack,
    actor: attackWithoutControls,
    threadId: attackWithoutControls,
    input: attack,
    result: attack,
    answer: attack,
  })
  const waited = await waitingRun(store, resourceId, [
    waitFor.answer({ question: attack, choices: [attack, 'No'], to: attackWithoutControls }),
    waitFor.event({ name: attackWithoutControls, schema: { type: 'string', description: attack } }),
    waitFor.event({ name: attackWithoutControls }),
    waitFor.time({ afterMs: 3_600_000 }),
  ])
  await waited.runtime.waits.settle(waited.waitIds[1] ?? '', { value: attack }, { actor: attackWithoutControls })
  const error = { code: attackWithoutControls, message: attack }
  await waited.runtime.waits.settle(waited.waitIds[2] ?? '', { error }, { actor: attackWithoutControls })
  const team = await teamRun(store, resourceId, {
    prompt: attack,
    threadId: `team ${attackWithoutControls}`,
    actor: attackWithoutControls,
    value: attack,
    said: attack,
    answer: attack,
  })
  const steps = await stepsOf(runtime, team.runId)
  const { items: spoken } = await runtime.threads.messages(`team ${attackWithoutControls}`)
  const forked = `fork ${attackWithoutControls}`
  await runtime.threads.fork(`team ${attackWithoutControls}`, {
    through: spoken[2]?.messageId ?? '',
    threadId: forked,
  })
  const sought = new URLSearchParams({ text: attack, agent: attack, thread: attack })
  const ones = [open, decided, ofPlan].map(({ approvalId }) => `/approvals/${approvalId}`)
  return [
    ...['/', '/runs', '/approvals', '/plans', '/references', '/threads', '/events', '/ledger', '/ledger/0'],
    ...kept.map(({ id }) => `/references/${id}`),
    ...ones,
    `/plans/${encodeURIComponent(plan.planId)}`,
    `/threads/${encodeURIComponent(threadId)}`,
    `/threads/${encodeURIComponent(attackWithoutControls)}`,
    `/runs/${runId}`,
    ...['/waits', '/waits?status=all', `/runs/${waited.runId}`],
    ...waited.waitIds.map((waitId) => `/waits/${waitId}`),
    `/runs/${team.runId}`,
    ...steps.map((step) => `/runs/${team.runId}?fork=${step}`),
    ...['', '&again=1'].map((more) => `/threads/${encodeURIComponent(forked)}?replays=${team.runId}${more}`),
    `/runs?${sought}`,
    `/runs?thread=${encodeURIComponent(`team ${attackWithoutControls}`)}`,
  ]
}
