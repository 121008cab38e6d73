// What examples/chat-next does on its server, without Next.js. browser.test.ts has the whole.
import process from 'node:process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listChats, readChat, referenceOf, stopRun } from '../../examples/chat-next/lib/chats.ts'
import { host } from '../../examples/chat-next/lib/host.ts'
import { open, seal, userOf } from '../../examples/chat-next/lib/session.ts'
import type { Runtime } from '../../ts/index.ts'

let [acme, globex]: Runtime[] = []
beforeAll(async () => {
  Object.assign(process.env, {
    STORE: 'memory:chat-next',
    SESSION_SECRET: 'a secret of this test, 32 or more',
    ANTHROPIC_API_KEY: '',
  })
  acme = await (await host()).runtime('acme')
  globex = await (await host()).runtime('globex')
})
afterAll(async () => (await host()).close())

test('a cookie is good for the user that it was made for, and a changed one for nobody', async () => {
  expect(userOf('kim', 'guessed')).toBeUndefined()
  const kim = userOf('kim', 'kim-demo')
  expect(kim).toMatchObject({ name: 'kim', tenant: 'acme' })
  const cookie = await seal(kim ?? { name: '', tenant: '' })
  expect(await open(cookie)).toEqual({ name: 'kim', tenant: 'acme' })
  const [head, , signature] = cookie.split('.')
  const claims = Buffer.from('{"sub":"kim","tenant":"globex","exp":9999999999}').toString('base64url')
  const none = Buffer.from('{"alg":"none"}').toString('base64url')
  for (const forged of [undefined, '', `${head}.${claims}.${signature}`, `${none}.${claims}.`]) {
    expect(await open(forged)).toBeUndefined()
  }
})

test('a call is shown with its approval, and the host goes on with the decision', async () => {
  const { runId } = await runtime(acme).query({ prompt: 'Refund order 17', threadId: 'refund', actor: 'kim' }).result()
  const [approval] = (await runtime(acme).approvals.pending()).items
  const open = (await readChat(runtime(acme), 'refund'))?.at(-1)?.parts
  expect(open).toContainEqual(
    expect.objectContaining({ state: 'approval-requested', approval: { id: approval?.approvalId } }),
  )
  await runtime(acme).approvals.respond(approval?.approvalId ?? '', { decision: 'approve', actor: 'lee' })
  await untilEnd(runId)
  const decided = (await readChat(runtime(acme), 'refund'))?.at(-1)?.parts
  expect(decided).toContainEqual(expect.objectContaining({ output: 'Order 17 is refunded.' }))
})

test('a question is shown with its choices, and its answer is the result', async () => {
  const { runId } = await runtime(acme).query({ prompt: 'Order flowers', threadId: 'flowers', actor: 'kim' }).result()
  const parts = (await readChat(runtime(acme), 'flowers'))?.at(-1)?.parts ?? []
  const wait = parts.find(({ type }) => type === 'data-wait') as { id: string; data: object } | undefined
  expect(wait?.data).toMatchObject({ status: 'open', schema: { enum: ['red', 'white', 'yellow'] } })
  await runtime(acme).waits.settle(wait?.id ?? '', { value: 'red' })
  await untilEnd(runId)
  const settled = (await readChat(runtime(acme), 'flowers'))?.at(-1)?.parts
  expect(settled).toContainEqual(expect.objectContaining({ type: 'tool-ask', output: 'red' }))
  expect(settled?.some(({ type }) => type === 'data-wait')).toBe(false)
})

test('a chat is listed, read and stopped by its tenant alone', async () => {
  const { runId } = await runtime(acme).query({ prompt: 'Order flowers', threadId: 'shared', actor: 'kim' }).result()
  expect(await listChats(runtime(acme))).toContainEqual({ id: 'shared', title: 'Order flowers', startedBy: 'kim' })
  expect(await listChats(runtime(globex))).toEqual([])
  expect(await readChat(runtime(globex), 'shared')).toBeUndefined()
  await stopRun(runtime(globex), 'shared')
  expect((await runtime(acme).runs.get(runId)).status).toBe('suspended')
  await stopRun(runtime(acme), 'shared')
  expect((await runtime(acme).runs.get(runId)).status).toBe('cancelled')
})

test('only the path of a file names a reference', () => {
  const id = `ref_${'a'.repeat(32)}`
  expect(referenceOf(`/api/files/${id}`)).toBe(id)
  for (const url of [id, `https://evil.example/api/files/${id}`, `/api/files/${id}?x`, '/api/files/../chat']) {
    expect(referenceOf(url)).toBeUndefined()
  }
})

async function untilEnd(runId: string): Promise<void> {
  for await (const { type } of runtime(acme).runs.follow(runId)) if (type === 'run.completed') return
  throw new Error('The run has not ended.')
}

function runtime(given: Runtime | undefined): Runtime {
  if (given === undefined) throw new Error('There is no runtime.')
  return given
}
