import { waitFor } from '../../ts/index.ts'
import type { OpenStore } from '../../ts/store/store.ts'
import { runtimeFor } from '../support/stores.ts'
import { suspendedRun, waitingRun } from './subject.ts'
import { stepsOf, teamRun } from './team.ts'

const films = ['Solaris', 'Stalker', 'Mirror', 'Nostalghia'].map((title, at) => ({
  title,
  year: 1972 + 4 * at,
  gross: at * 1_250_000.5,
}))

/** What a tenant has after a good day; gives the paths of all pages. */
export async function fillPleasantly(store: OpenStore, resourceId: string): Promise<string[]> {
  const runtime = await runtimeFor(store, resourceId)
  const [rows, note, bytes] = await runtime.references.putMany([
    { type: 'rows', value: films },
    {
      type: 'note',
      value: 'Returned goods must be back within thirty days, in the packaging they came in. '.repeat(12),
    },
    { type: 'export', value: new Uint8Array(48_000).fill(255), mediaType: 'application/vnd.apache.parquet' },
  ])
  const steps = [
    {
      id: 'orders',
      tool: 'search',
      input: { customer: 4711, since: '2026-10-01' },
      note: 'Only those that were delivered',
    },
    { id: 'letter', tool: 'mail', input: { to: { $step: 'orders', path: '/0/email' } }, dependsOn: ['orders'] },
  ]
  const plan = await runtime.plans.save({ type: 'outreach', planId: 'autumn', goal: 'Write to all who wait', steps })
  await runtime.plans.save({
    type: 'outreach',
    planId: 'autumn',
    goal: 'Write to everybody who waits for a refund',
    steps,
  })
  await runtime.approvals.request({ planId: 'autumn' }, { requestedBy: 'planner' })
  for (const [tool, decision, reason] of [
    ['refund', 'approve', undefined],
    ['delete_account', 'reject', 'The customer took it back by telephone'],
  ] as const) {
    const { approvalId } = await runtime.approvals.request({ tool, input: { order: 7 } }, { requestedBy: 'support' })
    await runtime.approvals.respond(approvalId, {
      decision,
      actor: 'kim@example.com',
      ...(reason === undefined ? {} : { reason }),
    })
  }
  const runs: string[] = []
  for (const [threadId, prompt] of [
    ['support-17', 'Where is my parcel?'],
    ['support-18', 'I want my money back for order 4711, it came broken twice.'],
  ] as const) {
    const words = { threadId, prompt, actor: 'lee', input: 'order', result: 'delivered', answer: 'It was delivered.' }
    runs.push(await suspendedRun(store, resourceId, words))
  }
  await runtime.runs.cancel(runs[0] ?? '')
  const waited = await waitingRun(store, resourceId, [
    waitFor.answer({ question: 'Where shall the receipt go?', to: 'kim@example.com', schema: { type: 'string' } }),
    waitFor.answer({ question: 'Refund order 4711?', choices: ['Yes', 'No'] }),
    waitFor.event({ name: 'payment of invoice 17' }),
    waitFor.time({ afterMs: 86_400_000 }),
  ])
  await waited.runtime.waits.settle(waited.waitIds[2] ?? '', { value: { paid: 25 } }, { actor: 'bank' })
  const team = await teamRun(store, resourceId, {
    prompt: 'How many of the red lamps are left, and what does one weigh?',
    threadId: 'stock-4',
    actor: 'lee',
    value: 'Count the red lamps, in the shop and in the warehouse.',
    said: 'I look that up in the list of the warehouse first, and then ask the scales.',
    answer: 'There are 17 red lamps left. The scales do not answer, so I cannot say what one weighs.',
  })
  const [, second = ''] = await stepsOf(runtime, team.runId)
  const [, , third] = (await runtime.threads.messages('stock-4')).items
  const forked = await runtime.threads.fork('stock-4', { through: third?.messageId ?? '' })
  const [pending] = (await runtime.approvals.pending()).items
  return [
    ...['/', '/runs', '/approvals', '/plans', '/references', '/threads', '/events', '/ledger', '/ledger/1', '/nothing'],
    ...[rows, note, bytes].map((reference) => `/references/${reference?.id}`),
    `/runs/${runs[1]}`,
    `/plans/${plan.planId}`,
    '/threads/support-18',
    `/approvals/${pending?.approvalId}`,
    ...['/waits', '/waits?status=all', `/runs/${waited.runId}`],
    ...waited.waitIds.map((waitId) => `/waits/${waitId}`),
    `/runs/${team.runId}`,
    `/runs/${team.runId}?fork=${second}`,
    `/threads/${forked.threadId}?replays=${team.runId}`,
    '/runs?agent=front&from=2026-01-01T00:00',
  ]
}
