import { toUIMessages } from 'bailiwick/ai-sdk'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  createRuntime,
  defineQuestion,
  defineRuntime,
  defineSpecialist,
  defineTool,
  type RunResult,
  type RuntimeOptions,
  type Store,
  type ToolContext,
  type Wait,
  waitFor,
} from '../../ts/index.ts'
import { codeOf, failureOf } from '../support/failures.ts'
import { engines, noon, openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { calls, kindsOf, sayingModel, says } from './models.ts'

const input = { type: 'object', properties: { amount: { type: 'number' } } } as const
const refund = defineTool({ name: 'refund', description: 'Refunds', input })
const ask = defineQuestion({ name: 'ask', description: 'Asks the customer', answer: z.string().min(2) })

type Handler = (input: unknown, context: ToolContext) => unknown

/** A runtime whose model calls a tool and then answers, and the contexts that the tool was called with. */
async function clerk(store: Store, handler: Handler, options: Partial<RuntimeOptions> = {}, name = 'refund') {
  const contexts: ToolContext[] = []
  const call = name === 'ask' ? { question: 'Which size?' } : { amount: 5 }
  const model = sayingModel(({ messages }) => (messages.at(-1)?.role === 'tool' ? says('Done.') : calls([name, call])))
  const tools = {
    refund: (given: unknown, context: ToolContext) => {
      contexts.push(context)
      return handler(given, context)
    },
  }
  const spec = defineRuntime({
    tenant: acme,
    agents: [defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.', tools: [refund, ask] })],
  })
  const runtime = await createRuntime(spec, { store, models: { test: model }, tools, ...options })
  return { runtime, contexts, model }
}

function waiting(result: RunResult<unknown>): Wait {
  if (result.status !== 'suspended') throw new Error(`It is ${result.status}: ${JSON.stringify(result)}`)
  return result.waits[0] as Wait
}

const never = () => {
  throw new Error('It was called.')
}

describe.each(engines)('calls that wait on %s', (engine) => {
  it('a handler asks a person, and is called again with the answer in another runtime', async () => {
    const store = await openFresh(engine)
    const question = { question: 'Refund 5?', choices: ['Yes', 'No'], to: 'boss@example.com' }
    const first = await clerk(store, () => waitFor.answer(question))
    const run = first.runtime.query({ prompt: 'Refund it' })
    const wait = waiting(await run.result())
    expect(wait).toMatchObject({ ...question, kind: 'answer', status: 'open', runId: run.runId, tool: 'refund' })
    expect(await kindsOf(run)).toEqual([
      'run.started',
      'agent.started',
      'model.completed',
      'tool.called',
      'tool.waiting',
      'run.suspended',
    ])
    await first.runtime.close()

    const second = await clerk(store, (_, { resumed }) => `The boss says ${resumed?.value}`)
    const { waits, runs } = second.runtime
    expect((await waits.list({ runId: run.runId })).items).toMatchObject([{ waitId: wait.waitId }])
    const record = await waits.settle(wait.waitId, { value: 'Yes' }, { actor: 'boss' })
    expect(record).toMatchObject({ status: 'settled', value: 'Yes', actor: 'boss' })
    const resumed = runs.resume(run.runId)
    expect(await resumed.result()).toMatchObject({ status: 'completed' })
    expect(second.contexts[0]).toMatchObject({
      idempotencyKey: first.contexts[0]?.idempotencyKey,
      resumed: { kind: 'answer', value: 'Yes', actor: 'boss', turn: 1 },
    })
    expect((await kindsOf(resumed)).slice(5)).toEqual([
      'run.suspended',
      'wait.settled',
      'tool.resumed',
      'tool.called',
      'tool.completed',
      'text.delta',
      'model.completed',
      'agent.completed',
      'run.completed',
    ])
    expect(await waits.get(wait.waitId)).toMatchObject({ status: 'settled' })
    expect((await second.runtime.usage()).storage.waits).toEqual({ items: 0, bytes: 0 })
  })

  it('a wait is settled once: the same again is the same answer, and another is refused', async () => {
    const { runtime } = await clerk(await openFresh(engine), () => waitFor.event({ name: 'paid' }))
    const { waitId } = waiting(await runtime.query('Refund it').result())
    const { waits } = runtime
    expect(await codeOf(() => waits.settle(waitId, { value: 1, error: { code: 'X', message: 'x' } } as never))).toBe(
      'INVALID_INPUT',
    )
    const first = await waits.settle(waitId, { value: { paid: 5, by: null } }, { actor: 'bank' })
    const assertSettled = async () => {
      expect(await waits.settle(waitId, { value: { by: null, paid: 5 } }, { actor: 'bank' })).toEqual(first)
      expect(await codeOf(() => waits.settle(waitId, { value: 6 }, { actor: 'bank' }))).toBe('WAIT_CLOSED')
      expect(await codeOf(() => waits.settle(waitId, { value: { paid: 5, by: null } }))).toBe('WAIT_CLOSED')
      expect(await waits.cancel(waitId)).toBe(false)
    }
    await assertSettled()
    // The run takes it with this.
    expect(await runtime.runs.resume(first.runId).result()).toMatchObject({ status: 'suspended' })
    expect(await waits.get(waitId)).not.toHaveProperty('value')
    await assertSettled()
  })

  it('an answer must fit the schema and the choices of its question', async () => {
    const schema = z.object({ size: z.number().int() })
    const { runtime } = await clerk(await openFresh(engine), () => waitFor.answer({ question: 'Which?', schema }))
    const { waitId } = waiting(await runtime.query('Refund it').result())
    const wrong = await failureOf(() => runtime.waits.settle(waitId, { value: { size: 'L' } }))
    expect(wrong).toMatchObject({ code: 'INVALID_INPUT' })
    expect(wrong.message).toContain('size')
    await runtime.waits.settle(waitId, { value: { size: 4 } })
    const choosing = await clerk(await openFresh(engine), () => waitFor.answer({ question: '?', choices: ['a', 'b'] }))
    const { waitId: choice } = waiting(await choosing.runtime.query('Refund it').result())
    expect(await codeOf(() => choosing.runtime.waits.settle(choice, { value: 'c' }))).toBe('INVALID_INPUT')
    await choosing.runtime.waits.settle(choice, { value: 'b' })
  })

  it('a time comes by itself, and a handler may wait again', async () => {
    const store = await openFresh(engine, {}, { now: noon })
    const turns: unknown[] = []
    const { runtime } = await clerk(store, (_, { resumed }) => {
      turns.push(resumed?.turn)
      return turns.length < 3 ? waitFor.time({ afterMs: 60_000 }) : 'ready'
    })
    const run = runtime.query('Refund it')
    const wait = waiting(await run.result())
    expect(wait).toMatchObject({ kind: 'time', dueAt: wait.createdAt + 60_000 })
    expect(await codeOf(() => runtime.waits.settle(wait.waitId, { value: 1 }))).toBe('INVALID_INPUT')
    const resume = () => runtime.runs.resume(run.runId).result()
    expect(await resume()).toMatchObject({ status: 'suspended', waits: [{ waitId: wait.waitId }] })
    expect(turns).toEqual([undefined])
    await store.advance(60_000)
    const again = waiting(await resume())
    expect(again.waitId).not.toBe(wait.waitId)
    expect(await runtime.waits.get(wait.waitId)).toMatchObject({ status: 'settled' })
    await store.advance(60_000)
    expect(await resume()).toMatchObject({ status: 'completed' })
    expect(turns).toEqual([undefined, 1, 2])
  })

  it('a question that nobody answers fails its call, and so does one that is cancelled', async () => {
    const { runtime, model } = await clerk(await openFresh(engine), never, {}, 'ask')
    const run = runtime.query('What fits?')
    const wait = waiting(await run.result())
    expect(wait).toMatchObject({ question: 'Which size?', schema: { type: 'string', minLength: 2 } })
    expect(await runtime.waits.cancel(wait.waitId)).toBe(true)
    expect(await codeOf(() => runtime.waits.settle(wait.waitId, { value: 'XL' }))).toBe('WAIT_CLOSED')
    expect(await runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'completed' })
    expect(JSON.stringify(model.requests.at(-1))).toContain('WAIT_CANCELLED')
  })

  it('the answer to a question is the result of its call', async () => {
    const { runtime, model } = await clerk(await openFresh(engine), never, {}, 'ask')
    const run = runtime.query('What fits?')
    const { waitId } = waiting(await run.result())
    expect(await codeOf(() => runtime.waits.settle(waitId, { value: 'x' }))).toBe('INVALID_INPUT')
    await runtime.waits.settle(waitId, { value: 'XL' }, { actor: 'kim' })
    expect(await runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'completed', text: 'Done.' })
    expect(JSON.stringify(model.requests.at(-1)?.messages)).toContain('"XL"')
  })

  it('cancelling the run closes its waits', async () => {
    const { runtime } = await clerk(await openFresh(engine), () => waitFor.event({ name: 'paid' }))
    const run = runtime.query('Refund it')
    const { waitId } = waiting(await run.result())
    await runtime.runs.cancel(run.runId)
    expect(await runtime.waits.get(waitId)).toMatchObject({ status: 'cancelled' })
    expect(await codeOf(() => runtime.waits.settle(waitId, { value: 1 }))).toBe('WAIT_CLOSED')
    expect((await runtime.usage()).storage.waits.items).toBe(0)
  })

  it('a call that waits longer than its run is kept, or for nothing, fails', async () => {
    const day = 24 * 60 * 60 * 1000
    const { runtime, model } = await clerk(await openFresh(engine), () => waitFor.time({ afterMs: 40 * day }))
    expect(await runtime.query('Refund it').result()).toMatchObject({ status: 'completed' })
    expect(JSON.stringify(model.requests.at(-1)?.messages)).toContain('29 days')
  })

  it('a model goes on while a question or an approval of it waits, and is told the result in a later message', async () => {
    const input = { type: 'object', properties: { amount: { type: 'number' } } } as const
    const whileWaiting = 'continue'
    const later = defineQuestion({ name: 'later', description: 'Asks', answer: z.string(), whileWaiting })
    const pay = defineTool({ name: 'pay', description: 'Pays', input, approval: 'always', whileWaiting })
    for (const decision of ['approve', 'reject'] as const) {
      const paid: unknown[] = []
      const model = sayingModel(({ messages }) => {
        const answers = messages.filter(({ role }) => role === 'assistant').length
        return answers === 0
          ? calls(['later', { question: 'Which?' }], ['pay', { amount: 5 }])
          : says(`Said ${answers}.`)
      })
      const runtime = await createRuntime(
        defineRuntime({
          tenant: acme,
          agents: [defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.', tools: [later, pay] })],
        }),
        { store: await openFresh(engine), models: { test: model }, tools: { pay: (given) => paid.push(given) } },
      )
      const run = runtime.query({ prompt: 'Go', threadId: 'chat' })
      const result = await run.result()
      expect(result).toMatchObject({ status: 'completed', text: 'Said 1.', waiting: ['call-0', 'call-1'] })
      const [wait] = (await runtime.waits.list({ runId: run.runId })).items
      const [approval] = (await runtime.approvals.pending()).items
      expect(approval).toMatchObject({ subject: { tool: 'pay' }, runId: run.runId })
      const { waitId, approvalId } = { waitId: wait?.waitId ?? '', approvalId: approval?.approvalId ?? '' }
      expect(model.requests[1]?.messages.at(-1)?.parts).toMatchObject([
        { callId: 'call-0', result: { status: 'waiting', waitId }, state: 'waiting' },
        { callId: 'call-1', result: { status: 'waiting', approvalId } },
      ])
      // The chat goes on meanwhile.
      expect(await runtime.query({ prompt: 'And?', threadId: 'chat' }).result()).toMatchObject({ text: 'Said 2.' })
      const resume = () => runtime.runs.resume(run.runId).result()
      expect(await resume()).toEqual(result)

      await runtime.approvals.respond(approvalId, { decision, actor: 'lee' })
      const second = await resume()
      expect(second).toMatchObject({ status: 'completed', text: 'Said 3.', waiting: ['call-0'] })
      expect(second.runId).not.toBe(run.runId)
      const [started] = (await runtime.traces.list({ runId: second.runId })).items.toReversed()
      expect(started).toMatchObject({ type: 'run.started', prompt: '', continues: { runId: run.runId } })
      expect(paid).toEqual(decision === 'approve' ? [{ amount: 5 }] : [])
      await runtime.waits.settle(waitId, { value: 'red' })
      const third = await resume()
      expect(third).toMatchObject({ status: 'completed', text: 'Said 4.' })
      expect(third).not.toHaveProperty('waiting')

      const { items } = await runtime.threads.messages('chat')
      const roles = [
        'user',
        'assistant',
        'tool',
        'assistant',
        'user',
        'assistant',
        'tool',
        'assistant',
        'tool',
        'assistant',
      ]
      expect(items.map(({ role }) => role)).toEqual(roles)
      const late = items.filter(({ parts }) =>
        parts.some((part) => part.type === 'tool-result' && part.state === 'late'),
      )
      expect(late.map(({ role, parts }) => [role, parts])).toMatchObject([
        ['tool', [{ callId: 'call-1', tool: 'pay' }]],
        ['tool', [{ callId: 'call-0', tool: 'later', result: 'red' }]],
      ])
      const told = JSON.stringify(model.requests.at(-1)?.messages)
      expect(told).toContain('of the tool later, which waited, has this result: red')
      expect(told).toContain(
        decision === 'approve' ? 'pay, which waited, has this result' : 'pay, which waited, has failed',
      )
      // A thread that was exported is imported as it is.
      const given = items.map(({ messageId: _own, ...message }) => message)
      expect(await runtime.threads.append('copy', given)).toHaveLength(items.length)
      expect(toUIMessages(items).flatMap(({ parts }) => parts)).toContainEqual(
        expect.objectContaining({ toolCallId: 'call-0', state: 'output-available', output: 'red' }),
      )
      await runtime.close()
    }
  })
})
