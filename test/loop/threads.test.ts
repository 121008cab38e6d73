import { describe, expect, it } from 'vitest'
import {
  createRuntime,
  defineRuntime,
  defineSpecialist,
  defineTool,
  type Message,
  type NewMessage,
  type Runtime,
} from '../../ts/index.ts'
import { codeOf, failureOf } from '../support/failures.ts'
import { engines, openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { calls, sayingModel, says, script } from './models.ts'

const input = { type: 'object' } as const
const look = defineTool({ name: 'look', description: 'Looks', input, effects: 'read' })
const pay = defineTool({ name: 'pay', description: 'Pays', input, approval: 'always' })
const spec = defineRuntime({
  tenant: acme,
  agents: [defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.', tools: [look, pay] })],
})

async function clerkOn(
  engine: (typeof engines)[number],
  model = script(calls(['look', {}], ['pay', {}]), says('Paid.')),
) {
  const paid: unknown[] = []
  const tools = {
    look: () => 'seen',
    pay: (given: unknown) => {
      paid.push(given)
      return 'paid'
    },
  }
  const store = await openFresh(engine)
  return { runtime: await createRuntime(spec, { store, models: { test: model }, tools }), paid, store }
}

/** The messages of a thread as roles and types of parts. */
async function shapeOf({ threads }: Runtime, threadId: string): Promise<string[]> {
  const { items } = await threads.messages(threadId)
  return items.map(({ role, parts }) => `${role}: ${parts.map((part) => part.type).join(' ')}`)
}

const waits = ['user: text', 'assistant: tool-call tool-call', 'tool: tool-result']

describe.each(engines)('the thread of a run on %s', (engine) => {
  it('has the messages and pending calls while the run is suspended, and each of them once at the end', async () => {
    const { runtime, paid } = await clerkOn(engine)
    const run = runtime.query('Pay it')
    const result = await run.result()
    const threadId = run.threadId as string
    if (result.status !== 'suspended') throw new Error(result.status)
    expect(await shapeOf(runtime, threadId)).toEqual(waits)
    await runtime.approvals.respond(result.approvals[0]?.approvalId as string, { decision: 'approve', actor: 'kim' })
    expect(await runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'completed', text: 'Paid.' })
    expect(await shapeOf(runtime, threadId)).toEqual([...waits, 'tool: tool-result', 'assistant: text'])
    expect(paid).toHaveLength(1)
  })

  it('takes its pending approvals with it when it is deleted', async () => {
    const { runtime, paid } = await clerkOn(engine)
    const run = runtime.query('Pay it')
    const result = await run.result()
    if (result.status !== 'suspended') throw new Error(result.status)
    expect(await runtime.threads.delete(run.threadId as string)).toBe(true)
    expect((await runtime.approvals.pending()).items).toEqual([])
    const { approvalId } = result.approvals[0] ?? { approvalId: '' }
    expect(await runtime.approvals.get(approvalId)).toMatchObject({ status: 'withdrawn' })
    const respond = () => runtime.approvals.respond(approvalId, { decision: 'approve', actor: 'kim' })
    expect(await codeOf(respond)).toBe('APPROVAL_CLOSED')
    expect(await runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'cancelled' })
    expect(await runtime.runs.get(run.runId)).toMatchObject({ status: 'cancelled' })
    expect(paid).toEqual([])
    expect(await codeOf(() => runtime.threads.messages(run.threadId as string))).toBe('NOT_FOUND')
  })

  it('refuses a prompt that names a missing reference', async () => {
    const { runtime } = await clerkOn(engine)
    const file = { type: 'file', reference: `ref_${'a'.repeat(32)}`, mediaType: 'text/plain' } as const
    const run = runtime.query({ prompt: [{ type: 'text', text: 'Read' }, file], threadId: 'one' })
    expect(await codeOf(() => run.result())).toBe('NOT_FOUND')
    expect(await runtime.threads.list()).toEqual({ items: [] })
    expect(await runtime.runs.list()).toEqual({ items: [] })
  })

  it('refuses a prompt without content', async () => {
    const { runtime } = await clerkOn(engine)
    for (const prompt of ['', ' \n', [], [{ type: 'text', text: '' } as const]]) {
      const failure = await failureOf(() => runtime.query({ prompt }).result())
      expect(failure.code).toBe('INVALID_INPUT')
      expect(failure.message).toContain('Give a text')
    }
    expect(await codeOf(() => runtime.query('').result())).toBe('INVALID_INPUT')
    expect(await runtime.threads.list()).toEqual({ items: [] })
  })

  it('can continue after any accepted appends and forks', async () => {
    const seen: (readonly Message[])[] = []
    const model = sayingModel((request) => {
      seen.push(request.messages)
      return says('Yes.')
    })
    const { runtime } = await clerkOn(engine, model)
    const call = (callId: string) => ({ type: 'tool-call', callId, tool: 'look', input: {} }) as const
    const user: NewMessage = { role: 'user', parts: [{ type: 'text', text: 'x' }] }
    const asks = (...ids: string[]): NewMessage => ({ role: 'assistant', parts: ids.map(call) })
    const tells = (...ids: string[]): NewMessage => ({
      role: 'tool',
      parts: ids.map((callId) => ({ type: 'tool-result', callId, result: 1 })),
    })
    const candidates: NewMessage[][] = [
      [user, asks('a'), tells('a')],
      [user, asks('a', 'b'), tells('b'), tells('a'), user],
      [user, asks('a'), user],
      [tells('a')],
      [user, asks('a'), tells('a', 'a')],
      [user, asks('a', 'a'), tells('a')],
      [{ role: 'tool', parts: user.parts }, user],
      [user, asks('a'), tells('a'), asks('a'), tells('a')],
      [user, { role: 'assistant', parts: [] }],
    ]
    let accepted = 0
    for (const [at, messages] of candidates.entries()) {
      const threadId = `thread-${at}`
      const appended = await runtime.threads.append(threadId, messages).catch(() => undefined)
      if (appended === undefined) {
        expect(await codeOf(() => runtime.threads.messages(threadId))).toBe('NOT_FOUND')
        continue
      }
      accepted += 1
      const forks = appended.map(({ messageId }) => runtime.threads.fork(threadId, { through: messageId }))
      for (const one of [threadId, ...(await Promise.all(forks)).map((fork) => fork.threadId)]) {
        const result = await runtime.query({ prompt: 'And?', threadId: one }).result()
        expect(result).toMatchObject({ status: 'completed', text: 'Yes.' })
        checkSent(seen.at(-1) ?? [])
      }
    }
    expect(accepted).toBe(4)
  })
})

/** A result follows its call, and no call is left open. */
function checkSent(messages: readonly Message[]): void {
  const open = new Set<string>()
  for (const { role, parts } of messages) {
    if (role !== 'tool') expect([...open]).toEqual([])
    for (const part of parts) {
      if (part.type === 'tool-call') open.add(part.callId)
      if (part.type === 'tool-result') expect(open.delete(part.callId)).toBe(true)
    }
  }
  expect([...open]).toEqual([])
}
