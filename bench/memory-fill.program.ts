// Fills a store with many records of every kind. Parameter: its URL. Prints what it wrote.
import process from 'node:process'
import { createRuntime, defineReference, defineRuntime, defineTenant, openStore } from 'bailiwick'
import { freshBytes } from './values.ts'

const MIB = 1 << 20
const store = await openStore(process.argv[2] ?? '')
const rows = defineReference({ name: 'rows' })
const runtime = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1'), references: [rows] }), {
  store,
})
const { references, cache, plans, approvals, threads } = runtime
const text = (letter: number, length: number) => String.fromCharCode(97 + (letter % 26)).repeat(length)
const numbers = Array.from({ length: 10 }, (_, number) => number)

const ids: string[] = []
for (const _ of numbers) ids.push((await references.put('rows', freshBytes(8 * MIB))).id)
for (const batch of numbers) {
  const items = numbers.flatMap((ten) =>
    Array.from({ length: 10 }, (_, one) => `${batch}-${ten}-${one}-${text(one, 4000)}`),
  )
  await references.putMany(items.map((value) => ({ type: 'small', value })))
}
await cache.set('large', freshBytes(24 * MIB))
for (const number of numbers) await cache.set(`${number}`, freshBytes(8 * MIB))
for (let version = 0; version < 60; version += 1) {
  const steps = [{ id: 'a', tool: 'x', input: text(version, MIB - 200) }]
  await plans.save({ type: 'report', planId: 'p', goal: 'g', steps })
}
for (let number = 0; number < 100; number += 1) {
  await plans.save({
    type: 'report',
    planId: `q${number}`,
    goal: text(number, 16_000),
    steps: [{ id: 'a', tool: 'x', input: 1 }],
  })
}
let approvalId = ''
for (let number = 0; number < 100; number += 1) {
  const { approvalId: decided } = await approvals.request({ tool: 'pay', input: number })
  await approvals.respond(decided, { decision: 'reject', actor: 'kim', reason: text(number, 16_000) })
}
for (let number = 0; number < 64; number += 1) {
  approvalId = (await approvals.request({ tool: 'pay', input: text(number, MIB - 200) })).approvalId
}
let messageId = ''
for (const number of numbers) {
  const parts = [{ type: 'text', text: text(number, 7 * MIB) }] as const
  const [message] = await threads.append('t', [{ role: 'user', parts, createdAt: number }])
  messageId = message?.messageId ?? messageId
}
await store.close()
console.log(JSON.stringify({ ids, approvalId, messageId }))
