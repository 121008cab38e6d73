import { describe, expect, it } from 'vitest'
import {
  createRuntime,
  defineCoordinator,
  defineRuntime,
  defineSpecialist,
  defineTool,
  layeredPrompt,
  type Store,
} from '../../ts/index.ts'
import { codeOf, failureOf } from '../support/failures.ts'
import { engines, openFresh } from '../support/stores.ts'
import { acme, globex } from '../unit/support.ts'
import { calls, gate, kindsOf, sayingModel, says } from './models.ts'

const pay = defineTool({ name: 'pay', description: 'Pays', input: { type: 'object' }, approval: 'always' })
const clerk = defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.', tools: [pay] })

/** A runtime that pays when it is told to, and how often it paid. */
async function paying(store: Store, tenant = acme, opened = Promise.resolve()) {
  const paid: unknown[] = []
  const model = sayingModel(({ messages }) => {
    const last = messages.at(-1)
    const wantsToPay = last?.role === 'user' && JSON.stringify(last.parts).includes('Pay')
    return wantsToPay ? calls(['pay', {}]) : says('Done.')
  })
  const tools = {
    pay: async () => {
      await opened
      return paid.push(1)
    },
  }
  // What is said is sent whole.
  const spec = defineRuntime({ tenant, agents: [clerk], context: { maxTokens: 10_000_000 } })
  const runtime = await createRuntime(spec, { store, models: { test: model }, tools })
  return { runtime, paid, model }
}

describe.each(engines)('requests on %s', (engine) => {
  it('the same key is the same run, while it works, while it waits, and when it is over', async () => {
    const store = await openFresh(engine)
    const { opened, open } = gate()
    const { runtime, paid } = await paying(store, acme, opened)
    const { runtime: other, paid: paidThere } = await paying(store, acme, opened)
    const request = { prompt: 'Pay', requestKey: 'webhook-1' }
    const first = [runtime, other, runtime].map((one) => one.query(request))
    expect(new Set(first.map(({ runId }) => runId)).size).toBe(1)
    expect(new Set(first.map(({ threadId }) => threadId)).size).toBe(1)
    const results = await Promise.all(first.map((run) => run.result()))
    expect(results[0]).toMatchObject({ status: 'suspended' })
    expect(results).toEqual([results[0], results[0], results[0]])
    const [approval] = (await runtime.approvals.pending()).items
    await runtime.approvals.respond(approval?.approvalId ?? '', { decision: 'approve', actor: 'kim' })
    const again = [runtime, other].map((one) => one.query(request).result())
    open()
    const [done] = await Promise.all(again)
    expect(done).toMatchObject({ status: 'completed', runId: results[0]?.runId })
    expect(await Promise.all(again)).toEqual([done, done])
    expect(await runtime.query(request).result()).toEqual(done)
    expect(await kindsOf(runtime.query(request))).toContain('run.completed')
    expect((await runtime.runs.list()).items).toHaveLength(1)
    expect([...paid, ...paidThere]).toHaveLength(1)
  })

  it('a key belongs to its tenant, and says nothing about the run of another', async () => {
    const store = await openFresh(engine)
    const [own, foreign] = [(await paying(store)).runtime, (await paying(store, globex)).runtime]
    const request = { prompt: 'Hello', requestKey: 'webhook-1' }
    const [one, two] = [own.query(request), foreign.query(request)]
    expect(one.runId).not.toBe(two.runId)
    expect(await one.result()).toMatchObject({ status: 'completed' })
    expect(await codeOf(() => foreign.runs.get(one.runId))).toBe('NOT_FOUND')
    expect(await codeOf(() => own.query({ ...request, requestKey: 'x'.repeat(1025) }).result())).toBe('INVALID_INPUT')
  })

  it('a request that never began leaves its key to the next one', async () => {
    const { runtime } = await paying(await openFresh(engine))
    const key = { requestKey: 'once' }
    expect(await codeOf(() => runtime.query({ ...key, prompt: '' }).result())).toBe('INVALID_INPUT')
    expect(await runtime.query({ ...key, prompt: 'Hello' }).result()).toMatchObject({ status: 'completed' })
  })

  it('a request may replace the run that keeps its thread busy', async () => {
    const { runtime } = await paying(await openFresh(engine))
    const thread = { threadId: 'support' }
    const waiting = runtime.query({ ...thread, prompt: 'Pay' })
    expect(await waiting.result()).toMatchObject({ status: 'suspended' })
    const busy = await failureOf(() => runtime.query({ ...thread, prompt: 'Hello' }).result())
    expect(busy).toMatchObject({ code: 'THREAD_BUSY', runId: waiting.runId, status: 'suspended' })
    const next = runtime.query({ ...thread, prompt: 'Hello', whenBusy: 'replace' })
    expect(await next.result()).toMatchObject({ status: 'completed', threadId: 'support' })
    expect(await runtime.runs.get(waiting.runId)).toMatchObject({ status: 'cancelled' })
    expect((await runtime.approvals.pending()).items).toEqual([])
    expect(await codeOf(() => runtime.query({ prompt: 'x', whenBusy: 'steal' as never }).result())).toBe(
      'INVALID_INPUT',
    )
  })

  it('queued requests begin in their order by themselves, and a cancelled one does not', async () => {
    const { runtime } = await paying(await openFresh(engine))
    const request = { threadId: 'support', whenBusy: 'queue' } as const
    const first = runtime.query({ ...request, prompt: 'Pay' })
    expect(await first.result()).toMatchObject({ status: 'suspended' })
    const queued = []
    for (const prompt of ['One', 'Two', 'Three']) {
      const run = runtime.query({ ...request, prompt, ...(prompt === 'One' ? { requestKey: 'one' } : {}) })
      await expect.poll(() => runtime.runs.get(run.runId).catch(() => undefined)).toMatchObject({ status: 'queued' })
      queued.push(run)
    }
    const [one, two, three] = queued
    expect((await runtime.runs.list({ status: 'queued' })).items).toHaveLength(3)
    expect((await runtime.threads.messages('support')).items.filter(({ role }) => role === 'user')).toHaveLength(1)
    const busy = await failureOf(() => runtime.query({ threadId: 'support', prompt: 'x' }).result())
    expect(busy).toMatchObject({ code: 'THREAD_BUSY', runId: first.runId, status: 'suspended' })
    two?.cancel()
    expect(await two?.result()).toMatchObject({ status: 'cancelled', text: '' })
    const again = runtime.query({ prompt: 'x', requestKey: 'one' })
    expect(again.runId).toBe(one?.runId)
    await runtime.runs.cancel(first.runId)
    expect(await one?.result()).toMatchObject({ status: 'completed', text: 'Done.' })
    expect(await again.result()).toEqual(await one?.result())
    expect(await three?.result()).toMatchObject({ status: 'completed' })
    expect((await kindsOf(three as NonNullable<typeof three>)).slice(0, 2)).toEqual(['run.queued', 'run.started'])
    const { items } = await runtime.threads.messages('support')
    const prompts = items.filter(({ role }) => role === 'user').map(({ parts }) => parts[0])
    expect(prompts).toMatchObject([{ text: 'Pay' }, { text: 'One' }, { text: 'Three' }])
  })

  it('a runtime that is closed leaves its queued runs to others', async () => {
    const store = await openFresh(engine)
    const { runtime } = await paying(store)
    const first = runtime.query({ threadId: 'support', prompt: 'Pay' })
    await first.result()
    const queued = runtime.query({ threadId: 'support', prompt: 'One', whenBusy: 'queue' })
    await expect.poll(() => runtime.runs.get(queued.runId).catch(() => undefined)).toMatchObject({ status: 'queued' })
    const result = failureOf(() => queued.result())
    await runtime.close()
    expect(await result).toMatchObject({ code: 'CLOSED' })
    const { runtime: other } = await paying(store)
    const busy = await failureOf(() => other.runs.resume(queued.runId).result())
    expect(busy).toMatchObject({ code: 'THREAD_BUSY', runId: first.runId })
    await other.runs.cancel(first.runId)
    const next = await failureOf(() => other.query({ threadId: 'support', prompt: 'x' }).result())
    expect(next).toMatchObject({ code: 'THREAD_BUSY', runId: queued.runId, status: 'queued' })
    expect(await other.runs.resume(queued.runId).result()).toMatchObject({ status: 'completed' })
  })

  it('a prompt is handed to a run that waits, whose model goes on without what it waits for', async () => {
    const store = await openFresh(engine)
    const { runtime, paid, model } = await paying(store)
    const thread = { threadId: 'support' }
    const first = await runtime.query({ ...thread, prompt: 'Pay' }).result()
    const asked = runtime.query({ ...thread, prompt: 'When?', actor: 'kim', whenBusy: 'steer' })
    const steered = { status: 'completed', text: 'Done.', runId: first.runId, waiting: ['call-0'] }
    expect(await asked.result()).toMatchObject(steered)
    expect(await runtime.runs.get(asked.runId)).toMatchObject({ status: 'steered' })
    expect(await kindsOf(asked)).toEqual(['run.queued', 'run.steered'])
    const shown = model.requests.at(-1)?.messages.map(({ role, parts }) => `${role} ${JSON.stringify(parts)}`) ?? []
    expect(shown.at(-1)).toContain('When?')
    expect(shown.at(-2)).toContain('waiting')
    // The approval stays open, and the chat is free: another prompt, and the thread as a user sees it.
    expect(await runtime.query({ ...thread, prompt: 'Now?' }).result()).toMatchObject({ status: 'completed' })
    const { items } = await runtime.threads.messages('support')
    // The message names the request and its actor, not those of the run that took it.
    expect(items[3]).toMatchObject({ role: 'user', runId: asked.runId, actor: 'kim' })
    const roles = items.map(({ role }) => role)
    expect(roles).toEqual(['user', 'assistant', 'tool', 'user', 'assistant', 'user', 'assistant'])
    expect(await runtime.runs.resume(asked.runId).result()).toMatchObject(steered)
    const [approval] = (await runtime.approvals.pending()).items
    await runtime.approvals.respond(approval?.approvalId ?? '', { decision: 'approve', actor: 'lee' })
    const last = await runtime.runs.resume(first.runId).result()
    expect(last).toMatchObject({ status: 'completed', text: 'Done.' })
    expect(last.runId).not.toBe(first.runId)
    expect(paid).toHaveLength(1)
  })

  it('a prompt is handed to a run that works, before it asks its model again', async () => {
    const { opened, open } = gate()
    const began = gate()
    const look = defineTool({ name: 'look', description: 'Looks', input: { type: 'object' }, effects: 'read' })
    const agent = defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.', tools: [look] })
    const model = sayingModel(({ messages }) =>
      messages.some(({ role }) => role === 'tool') ? says('Done.') : calls(['look', {}]),
    )
    const runtime = await createRuntime(defineRuntime({ tenant: acme, agents: [agent] }), {
      store: await openFresh(engine),
      models: { test: model },
      tools: {
        look: async () => {
          began.open()
          await opened
          return 1
        },
      },
    })
    const first = runtime.query({ threadId: 'support', prompt: 'Look' })
    await began.opened
    const more = runtime.query({ threadId: 'support', prompt: 'Quickly', whenBusy: 'steer' })
    await expect.poll(() => runtime.runs.get(more.runId).catch(() => undefined)).toMatchObject({ status: 'queued' })
    open()
    const result = await first.result()
    expect(result).toMatchObject({ status: 'completed' })
    expect(await more.result()).toEqual(result)
    expect(model.requests).toHaveLength(2)
    expect(model.requests[1]?.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'user'])
    const { items } = await runtime.threads.messages('support')
    expect(items.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'user', 'assistant'])
    // Nobody has the thread: a run begins.
    const next = runtime.query({ threadId: 'support', prompt: 'Again', whenBusy: 'steer' })
    expect(await next.result()).toMatchObject({ status: 'completed', runId: next.runId })
  })

  it('the same key again is the run that has the prompt, also while that works', async () => {
    const gates = [gate(), gate()]
    const began = [gate(), gate()]
    const look = defineTool({ name: 'look', description: 'Looks', input: { type: 'object' }, effects: 'read' })
    const agent = defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.', tools: [look] })
    const isResult = ({ role }: { role: string }) => role === 'tool'
    const model = sayingModel(({ messages }) =>
      messages.filter(isResult).length === 2 ? says('Done.') : calls(['look', {}]),
    )
    let looked = 0
    const runtime = await createRuntime(defineRuntime({ tenant: acme, agents: [agent] }), {
      store: await openFresh(engine),
      models: { test: model },
      tools: {
        look: async () => {
          const at = looked++
          began[at]?.open()
          await gates[at]?.opened
          return at
        },
      },
    })
    const first = runtime.query({ threadId: 'support', prompt: 'Look' })
    await began[0]?.opened
    const request = { threadId: 'support', prompt: 'Quickly', whenBusy: 'steer', requestKey: 'quick' } as const
    const more = [1, 2, 3].map(() => runtime.query(request))
    const results = Promise.all(more.map((run) => run.result()))
    await expect
      .poll(() => runtime.runs.get(more[0]?.runId ?? '').catch(() => undefined))
      .toMatchObject({ status: 'queued' })
    gates[0]?.open()
    await began[1]?.opened
    // The others find out that the prompt was handed over.
    for (let read = 0; read < 50; read += 1) await runtime.runs.list()
    gates[1]?.open()
    const result = await first.result()
    expect(result).toMatchObject({ status: 'completed' })
    expect(await results).toEqual([result, result, result])
  })

  it('a run that is at its limit takes no prompt, which begins a run', async () => {
    const { runtime } = await paying(await openFresh(engine))
    const request = { threadId: 'support', limits: { maxSteps: 1 } }
    const first = await runtime.query({ ...request, prompt: 'Pay' }).result()
    expect(first).toMatchObject({ status: 'suspended' })
    const more = runtime.query({ ...request, prompt: 'Now?', whenBusy: 'steer' })
    await expect.poll(() => runtime.runs.get(more.runId).catch(() => undefined)).toMatchObject({ status: 'queued' })
    expect((await runtime.approvals.pending()).items).toHaveLength(1)
    await runtime.runs.cancel(first.runId)
    expect(await more.result()).toMatchObject({ status: 'completed', runId: more.runId })
  })

  it('large prompts are handed over in parts', async () => {
    const { runtime, model } = await paying(await openFresh(engine))
    const first = await runtime.query({ threadId: 'support', prompt: 'Pay' }).result()
    const prompts = Array.from({ length: 4 }, (_, at) => `${at} ${'x'.repeat(3 << 20)}`)
    const runs = prompts.map((prompt) => runtime.query({ threadId: 'support', prompt, whenBusy: 'steer' }))
    const results = await Promise.all(runs.map((run) => run.result()))
    for (const result of results) expect(result).toMatchObject({ status: 'completed' })
    expect(results.map(({ runId }) => runId)).toContain(first.runId)
    const seen = new Set(model.requests.flatMap(({ messages }) => messages.map(({ parts }) => parts[0])))
    const texts = [...seen].map((part) => (part?.type === 'text' ? part.text : ''))
    for (const prompt of prompts) expect(texts.includes(prompt)).toBe(true)
  })

  it('a prompt waits as long as another agent works for the run', async () => {
    const front = defineCoordinator({ name: 'front', model: 'test/front', prompt: 'Route.', routes: ['clerk'] })
    const model = sayingModel(({ modelId, messages }) => {
      const isFirst = !messages.some(({ role }) => role === 'tool')
      if (modelId === 'front') return isFirst ? calls(['clerk', { task: 'Pay' }]) : says('All done.')
      return isFirst ? calls(['pay', {}]) : says('Paid.')
    })
    const runtime = await createRuntime(defineRuntime({ tenant: acme, agents: [front, clerk] }), {
      store: await openFresh(engine),
      models: { test: model },
      tools: { pay: () => 1 },
    })
    const first = await runtime.query({ threadId: 'support', prompt: 'Pay' }).result()
    expect(first).toMatchObject({ status: 'suspended' })
    const more = runtime.query({ threadId: 'support', prompt: 'Quickly', whenBusy: 'steer' })
    await expect.poll(() => runtime.runs.get(more.runId).catch(() => undefined)).toMatchObject({ status: 'queued' })
    const [approval] = (await runtime.approvals.pending()).items
    await runtime.approvals.respond(approval?.approvalId ?? '', { decision: 'approve', actor: 'kim' })
    const done = await runtime.runs.resume(first.runId).result()
    expect(done).toMatchObject({ status: 'completed', text: 'All done.' })
    expect(await more.result()).toEqual(done)
    const last = model.requests.at(-1)?.messages.at(-1)
    expect([last?.role, last?.parts]).toMatchObject(['user', [{ text: 'Quickly' }]])
    // One that is cancelled before it is handed over is not told.
    await runtime.query({ threadId: 'other', prompt: 'Pay' }).result()
    const unwanted = runtime.query({ threadId: 'other', prompt: 'Never mind', whenBusy: 'steer' })
    await expect.poll(() => runtime.runs.get(unwanted.runId).catch(() => undefined)).toMatchObject({ status: 'queued' })
    unwanted.cancel()
    expect(await unwanted.result()).toMatchObject({ status: 'cancelled' })
  })

  it('a request may begin later', async () => {
    const { runtime } = await paying(await openFresh(engine))
    const startAt = Date.now() + 60_000
    const later = runtime.query({ prompt: 'Hello', startAt })
    await expect.poll(() => runtime.runs.get(later.runId).catch(() => undefined)).toMatchObject({ status: 'queued' })
    later.cancel()
    expect(await later.result()).toMatchObject({ status: 'cancelled' })
    expect(await kindsOf(later)).toEqual(['run.queued', 'run.cancelled'])
    const soon = runtime.query({ prompt: 'Hello', startAt: Date.now() + 200 })
    expect(await soon.result()).toMatchObject({ status: 'completed' })
    const past = runtime.query({ prompt: 'Hello', startAt: 1 })
    expect(await past.result()).toMatchObject({ status: 'completed' })
    expect((await kindsOf(past))[0]).toBe('run.started')
  })

  it('instructions end the system prompts of a run, also after it was resumed, and of no other', async () => {
    const store = await openFresh(engine)
    const first = await paying(store)
    const instructions = layeredPrompt({ instructions: 'Today is Monday.', style: 'Be brief.' })
    const run = first.runtime.query({ prompt: 'Pay', instructions })
    await run.result()
    expect(first.model.requests[0]?.system).toBe('Help.\n\nToday is Monday.\n\n# Style\nBe brief.')
    const [approval] = (await first.runtime.approvals.pending()).items
    await first.runtime.approvals.respond(approval?.approvalId ?? '', { decision: 'approve', actor: 'kim' })
    const second = await paying(store)
    expect(await second.runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'completed' })
    expect(second.model.requests[0]?.system).toContain('Today is Monday.')
    await second.runtime.query('Hello').result()
    expect(second.model.requests.at(-1)?.system).toBe('Help.')
    for (const wrong of ['', 5, { role: 'x' }, 'x'.repeat(70_000)]) {
      expect(await codeOf(() => first.runtime.query({ prompt: 'x', instructions: wrong as never }).result())).toBe(
        'INVALID_INPUT',
      )
    }
  })
})
