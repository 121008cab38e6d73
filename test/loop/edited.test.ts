// A call is made with the input that a person edited before they approved, whatever happens in between, and its model is told.
import { describe, expect, it } from 'vitest'
import { toUIMessages } from '../../ts/ai-sdk/index.ts'
import {
  type Approval,
  type ApproverAnswer,
  createRuntime,
  defineRuntime,
  defineSpecialist,
  defineTool,
  type JsonValue,
  type RunResult,
  type RuntimeOptions,
  type RuntimeSpec,
  type Store,
  type Tool,
  waitFor,
} from '../../ts/index.ts'
import { failureOf } from '../support/failures.ts'
import { engines, openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { calls, eventsOf, gate, sayingModel, says, script } from './models.ts'
import { planningSpec } from './specs.ts'

const input = {
  type: 'object',
  properties: { amount: { type: 'number', maximum: 100 } },
  required: ['amount'],
} as const
const refund = defineTool({ name: 'refund', description: 'Refunds', input, approval: 'always', onInterrupted: 'retry' })

function specWith(tool: Tool = refund) {
  const clerk = defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.', tools: [tool] })
  return defineRuntime({ tenant: acme, agents: [clerk] })
}

async function clerk(store: Store, options: Partial<RuntimeOptions> = {}, spec: RuntimeSpec = specWith()) {
  const given: unknown[] = []
  const model = script(calls(['refund', { amount: 50 }]), says('Refunded.'), says('Done.'))
  const tools = {
    refund: (input: unknown) => {
      given.push(input)
      return 'done'
    },
  }
  const runtime = await createRuntime(spec, { store, models: { test: model }, tools, ...options } as RuntimeOptions)
  return { runtime, given, model }
}

function waiting(result: RunResult<unknown>): Approval {
  if (result.status !== 'suspended') throw new Error(`It is ${result.status}.`)
  return result.approvals[0] as Approval
}

function editing(input: JsonValue) {
  return { decision: 'approve', actor: 'lee', input } as const
}

describe.each(engines)('an edited input in a run on %s', (engine) => {
  it('is what the tool is called with, and the model is told with the result', async () => {
    const store = await openFresh(engine)
    const first = await clerk(store)
    const run = first.runtime.query({ prompt: 'Refund it', threadId: 'chat' })
    const { approvalId, subject } = waiting(await run.result())
    await first.runtime.approvals.respond(approvalId, editing({ amount: 20 }))
    await first.runtime.close()
    const { runtime, given, model } = await clerk(store, { models: { test: script() } })
    const told = script(says('Refunded.'))
    await runtime.close()
    const last = await clerk(store, { models: { test: told } })
    expect(await last.runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'completed' })
    expect([given, model.requests, last.given]).toEqual([[], [], [{ amount: 20 }]])
    expect(told.requests[0]?.messages.at(-1)?.parts).toEqual([
      {
        type: 'tool-result',
        callId: 'call-0',
        result: {
          message:
            'A person changed the input of this call to editedInput before they approved it. It was made with that.',
          editedInput: { amount: 20 },
          result: 'done',
        },
      },
    ])
    const { items } = await last.runtime.threads.messages('chat')
    expect(items.flatMap(({ parts }) => parts.filter(({ type }) => type.startsWith('tool')))).toMatchObject([
      { type: 'tool-call', input: { amount: 50 } },
      { type: 'tool-result', result: 'done', editedInput: { amount: 20 } },
    ])
    const events = await eventsOf(last.runtime.runs.follow(run.runId))
    const decided = events.find((event) => event.type === 'approval.decided')
    const [record] = (await last.runtime.approvals.history()).items
    expect(decided).toMatchObject({ record, editedInput: { amount: 20 } })
    expect(record).toHaveProperty('editedHash')
    expect(events.find((event) => event.type === 'tool.called')).toMatchObject({ input: { amount: 20 } })
    expect(await last.runtime.approvals.get(approvalId)).toMatchObject({ subject, editedInput: { amount: 20 } })
    const parts = toUIMessages(items).flatMap((message) => message.parts)
    expect(parts).toContainEqual(expect.objectContaining({ input: { amount: 20 }, output: 'done' }))
  })

  it('may come from the approver; one that is refused leaves the approval pending, and the host is told', async () => {
    const store = await openFresh(engine)
    const told: unknown[] = []
    const answers: ApproverAnswer[] = [editing({ amount: 20 }), editing({ amount: 200 }), editing({})]
    const options = {
      approve: async () => answers.shift() ?? ({ decision: 'defer' } as const),
      onError: (error: unknown) => told.push(error),
    }
    const good = await clerk(store, options)
    expect(await good.runtime.query('Refund it').result()).toMatchObject({ status: 'completed' })
    expect([good.given, told]).toEqual([[{ amount: 20 }], []])
    const bad = await clerk(store, options)
    const run = bad.runtime.query('Refund it')
    const { approvalId } = waiting(await run.result())
    expect(told).toMatchObject([{ code: 'INVALID_INPUT', message: expect.stringContaining('amount') }])
    expect(waiting(await bad.runtime.runs.resume(run.runId).result()).approvalId).toBe(approvalId)
    expect(told).toHaveLength(2)
    await bad.runtime.approvals.respond(approvalId, editing({ amount: 10 }))
    expect(await bad.runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'completed' })
    expect(bad.given).toEqual([{ amount: 10 }])
  })

  it('is asked about under the rule that the host has for it, and made once that is met', async () => {
    const store = await openFresh(engine)
    const tool = defineTool({ name: 'refund', description: 'Refunds', input, approval: 'dynamic' })
    const large = { required: true, quorum: 2 }
    const needsApproval = (call: { input: JsonValue }) =>
      (call.input as { amount: number }).amount > 60 ? large : true
    const { runtime, given } = await clerk(store, { needsApproval } as Partial<RuntimeOptions>, specWith(tool))
    const run = runtime.query('Refund it')
    const asked = waiting(await run.result())
    expect(asked.rule).toBeUndefined()
    await runtime.approvals.respond(asked.approvalId, editing({ amount: 90 }))
    const again = waiting(await runtime.runs.resume(run.runId).result())
    expect([given, again.subject]).toMatchObject([[], { input: { amount: 90 } }])
    expect(again.rule).toMatchObject({ quorum: 2 })
    for (const actor of ['lee', 'kim']) {
      expect(given).toEqual([])
      await runtime.approvals.respond(again.approvalId, { decision: 'approve', actor })
    }
    expect(await runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'completed' })
    expect(given).toEqual([{ amount: 90 }])
  })

  it('is not made in the place of a call that was begun with another input', async () => {
    const store = await openFresh(engine)
    const tool = defineTool({ name: 'refund', description: 'Refunds', input, onInterrupted: 'ask' })
    const begun = gate()
    const hanging = { refund: () => begun.open() ?? new Promise(() => {}) } as never
    const first = await clerk(store, { tools: hanging }, specWith(tool))
    const run = first.runtime.query('Refund it')
    run.result().catch(() => {})
    await begun.opened
    await first.runtime.close()
    const { runtime, given } = await clerk(store, { models: { test: script(says('I see.')) } }, specWith(tool))
    const { approvalId } = waiting(await runtime.runs.resume(run.runId).result())
    await runtime.approvals.respond(approvalId, editing({ amount: 20 }))
    expect(await runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'completed', text: 'I see.' })
    const failed = (await eventsOf(runtime.runs.follow(run.runId))).find(({ type }) => type === 'tool.failed')
    expect([given, failed]).toMatchObject([[], { error: { code: 'INTERRUPTED' } }])
  })

  it('is what a call is made with again that was cut off, with the same idempotency key', async () => {
    const store = await openFresh(engine)
    const keys: unknown[] = []
    const begun = gate()
    const tools = (answer: () => unknown) =>
      ({
        refund: (given: unknown, { idempotencyKey }: { idempotencyKey: string }) => {
          keys.push([given, idempotencyKey])
          return answer()
        },
      }) as never
    const first = await clerk(store, { tools: tools(() => begun.open() ?? new Promise(() => {})) })
    const run = first.runtime.query('Refund it')
    await first.runtime.approvals.respond(waiting(await run.result()).approvalId, editing({ amount: 20 }))
    const cut = failureOf(() => first.runtime.runs.resume(run.runId).result())
    await begun.opened
    await first.runtime.close()
    expect((await cut).code).toBe('CLOSED')
    const second = await clerk(store, { tools: tools(() => 'done'), models: { test: script(says('Refunded.')) } })
    expect(await second.runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'completed' })
    expect(keys).toHaveLength(2)
    expect(keys[0]).toEqual(keys[1])
    expect(keys[0]).toMatchObject([{ amount: 20 }, expect.any(String)])
  })

  it('is asked about again if the tool has changed since it was approved', async () => {
    const store = await openFresh(engine)
    const first = await clerk(store)
    const run = first.runtime.query('Refund it')
    const { approvalId } = waiting(await run.result())
    await first.runtime.approvals.respond(approvalId, editing({ amount: 20 }))
    await first.runtime.close()
    const changed = defineTool({ ...refund, input: { ...input, description: 'Other' }, approval: 'always' } as never)
    const second = await clerk(store, { models: { test: script(says('Refunded.')) } }, specWith(changed as Tool))
    const again = waiting(await second.runtime.runs.resume(run.runId).result())
    expect(again.approvalId).not.toBe(approvalId)
    expect(again.subject).toEqual({ tool: 'refund', input: { amount: 20 } })
    expect(second.given).toEqual([])
    await second.runtime.approvals.respond(again.approvalId, { decision: 'approve', actor: 'lee' })
    expect(await second.runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'completed' })
    expect(second.given).toEqual([{ amount: 20 }])
  })

  it('of a call that waits afterwards, or while its agent goes on, stays', async () => {
    const store = await openFresh(engine)
    const given: unknown[] = []
    const handler = (input: unknown, { resumed }: { resumed?: unknown }) => {
      given.push(input)
      return resumed === undefined ? waitFor.event({ name: 'paid' }) : 'done'
    }
    const tool = defineTool({ ...refund, input, whileWaiting: 'continue' } as never) as Tool
    const model = sayingModel(({ messages }) =>
      messages.length === 1 ? calls(['refund', { amount: 50 }]) : says('I go on.'),
    )
    const options = { tools: { refund: handler } as never, models: { test: model } }
    const { runtime } = await clerk(store, options, specWith(tool))
    const run = runtime.query({ prompt: 'Refund it', threadId: 'chat' })
    expect(await run.result()).toMatchObject({ status: 'completed', waiting: ['call-0'] })
    const [approval] = (await runtime.approvals.pending()).items
    await runtime.approvals.respond(approval?.approvalId ?? '', editing({ amount: 20 }))
    expect(await runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'completed' })
    const open = (await runtime.waits.list()).items.filter(({ status }) => status === 'open')
    await runtime.waits.settle(open[0]?.waitId ?? '', { value: 1 })
    expect(await runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'completed' })
    expect(given).toEqual([{ amount: 20 }, { amount: 20 }])
    const late = (await runtime.threads.messages('chat')).items.flatMap(({ parts }) => parts).at(-2)
    const shown = (await runtime.threads.messages('chat')).items.flatMap(({ parts }) => parts)
    expect(shown).toContainEqual(
      expect.objectContaining({ state: 'late', editedInput: { amount: 20 }, result: 'done' }),
    )
    expect(late).toBeDefined()
    expect(JSON.stringify(model.requests.at(-1)?.messages)).toContain('before they approved it')
  })

  it('of a step of a plan is taken as it is, and the report says so', async () => {
    const store = await openFresh(engine)
    const steps = [
      { id: 'a', tool: 'look', input: {} },
      { id: 'b', tool: 'send', input: { all: { $step: 'a' } } },
    ]
    const look = defineTool({ name: 'look', description: 'x', effects: 'read', input: { type: 'object' } })
    const send = defineTool({ name: 'send', description: 'x', approval: 'always', input: { type: 'object' } })
    const model = sayingModel(({ modelId, messages }) => {
      if (modelId === 'planner') return says(JSON.stringify({ goal: 'x', steps }))
      if (modelId === 'worker') return says('Sent.')
      return messages.length > 1 ? says('Done.') : calls(['planner', { task: 'x' }])
    })
    const sent: unknown[] = []
    const edited = { all: { $step: 'a' }, more: { $step: 'nowhere' } }
    const runtime = await createRuntime(planningSpec([look, send], 'test/worker'), {
      store,
      models: { test: model },
      tools: { look: () => 'secret', send: (given: unknown) => sent.push(given) } as never,
      approve: async ({ subject }) => ('planId' in subject ? { decision: 'approve', actor: 'kim' } : editing(edited)),
    })
    expect(await runtime.query('Go').result()).toMatchObject({ status: 'completed', text: 'Done.' })
    expect(sent).toEqual([edited])
    const report = model.requests.find(({ modelId }) => modelId === 'worker')
    expect(JSON.stringify(report?.messages)).toContain('People changed the inputs of these steps')
  })
})
