// What attackers, crashes and strange models have once done to runs, and must not again.
import { describe, expect, it } from 'vitest'
import {
  createRuntime,
  defineCoordinator,
  defineReference,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type Model,
  type RunEvent,
  type Store,
} from '../../ts/index.ts'
import { codeOf } from '../support/failures.ts'
import { engines, noon, openFresh } from '../support/stores.ts'
import { calls, gate, kindsOf, sayingModel, says, script } from './models.ts'
import { input, look, send, specOf } from './specs.ts'

/** A runtime whose tools are all done by one function. */
function runtimeOn(store: Store, resourceId: string, model: Model, act: () => unknown) {
  return createRuntime(specOf(resourceId), { store, models: { test: model }, tools: { look: act } as never })
}

/** A value of so many arrays in each other. */
function nested(depth: number): unknown {
  return depth === 0 ? 1 : [nested(depth - 1)]
}

describe.each(engines)('attacks on runs on %s', (engine) => {
  it("a request for another tenant's running run gets none of its callbacks", async () => {
    const store = await openFresh(engine)
    const [started, answer] = [gate(), gate()]
    const mine = await runtimeOn(store, 'acme', script(calls(['look', {}]), says('Mine.')), async () => {
      started.open()
      await answer.opened
      return 'secret'
    })
    const theirs = sayingModel(() => says('Theirs.'))
    const other = await runtimeOn(store, 'globex', theirs, () => 'stolen')
    const run = mine.query('Go')
    await started.opened
    const refused = Array.from({ length: 20 }, () => codeOf(() => other.runs.resume(run.runId).result()))
    expect(await codeOf(() => mine.runs.resume(run.runId).result())).toBe('THREAD_BUSY')
    expect(new Set(await Promise.all(refused))).toEqual(new Set(['NOT_FOUND']))
    answer.open()
    expect(await run.result()).toMatchObject({ status: 'completed', text: 'Mine.' })
    expect(theirs.requests).toEqual([])
  })

  it('a message that is written anew has another id, after a failure and after an interruption', async () => {
    const store = await openFresh(engine)
    let seen = gate()
    const texts = ['Never finished', 'Never finished either', 'Done.']
    const model = sayingModel(() => [])
    model.stream = async function* () {
      const text = texts.shift() ?? ''
      yield { type: 'text.delta', id: '0', delta: text }
      await seen.opened
      seen = gate()
      if (text === 'Done.') yield { type: 'finish', reason: 'stop', usage: {} }
    }
    const first = await runtimeOn(store, 'acme', model, () => 1)
    const run = first.query('Go')
    const ids = new Map<string, string>()
    const follow = async (events: AsyncIterable<RunEvent>, after: (text: string) => void) => {
      for await (const event of events) {
        if (event.type !== 'text.delta') continue
        ids.set(event.delta, event.messageId)
        after(event.delta)
      }
    }
    await codeOf(() => follow(run, (text) => (text === 'Never finished' ? seen.open() : void first.close())))
    const second = await runtimeOn(store, 'acme', model, () => 1)
    await follow(second.runs.resume(run.runId), () => seen.open())
    expect([...ids.keys()]).toEqual(['Never finished', 'Never finished either', 'Done.'])
    expect(new Set(ids.values()).size).toBe(3)
  })

  it('no other model continues an answer that one has begun', async () => {
    const store = await openFresh(engine)
    let tries = 0
    const first = sayingModel(() => [])
    first.stream = async function* () {
      tries += 1
      if (tries > 1) throw new Error('gone')
      yield { type: 'text.delta', id: '0', delta: 'I begin' }
    }
    const other = script(says('Somebody else.'))
    const agents = [defineSpecialist({ name: 'one', model: ['first/m', 'other/m'], prompt: 'x' })]
    const runtime = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1'), agents }), {
      store,
      models: { first, other },
    })
    expect(await runtime.query('Go').result()).toMatchObject({ status: 'failed', error: { code: 'MODEL_FAILED' } })
    expect([tries, other.requests.length]).toEqual([2, 0])
  })

  it("the time of an agent that was routed to is its own limit's, and whoever called it goes on", async () => {
    const store = await openFresh(engine)
    const agents = [
      defineCoordinator({ name: 'front', model: 'test/front', prompt: 'x', routes: ['slow'] }),
      defineSpecialist({ name: 'slow', model: 'test/slow', prompt: 'x', limits: { maxDurationMs: 50 } }),
    ]
    const model = sayingModel(({ messages }) => (messages.length > 1 ? says('Done.') : calls(['slow', { task: 'x' }])))
    const first = model.stream
    model.stream = async function* (request) {
      if (request.modelId === 'front') yield* first(request)
      else await new Promise((_, reject) => request.signal.addEventListener('abort', () => reject(new Error('over'))))
    }
    const runtime = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1'), agents }), {
      store,
      models: { test: model },
    })
    expect(await runtime.query('Go').result()).toMatchObject({ status: 'completed', text: 'Done.' })
    expect(model.requests.at(-1)?.messages.at(-1)?.parts[0]).toMatchObject({
      isError: true,
      result: {
        error: { code: 'AGENT_FAILED', message: expect.stringContaining('slow reached its limit maxDurationMs') },
      },
    })
  })

  it('an answer of 2 MiB may arrive in the smallest pieces', async () => {
    const store = await openFresh(engine)
    const pieces = 1 << 16
    const text = 'x'.repeat(32)
    const model = sayingModel(() => [
      ...Array.from(
        { length: pieces },
        () => ({ type: 'text.delta', id: 'a part with a long name', delta: text }) as const,
      ),
      { type: 'finish', reason: 'stop', usage: {} },
    ])
    const runtime = await runtimeOn(store, 'acme', model, () => 1)
    const result = await runtime.query('Go').result()
    expect(result.status).toBe('completed')
    expect(result.text).toHaveLength(pieces * text.length)
  })

  it('no count of tokens that a model gives can be too large to be read again', async () => {
    const store = await openFresh(engine)
    const most = { inputTokens: Number.MAX_SAFE_INTEGER, outputTokens: Number.MAX_SAFE_INTEGER }
    const model = sayingModel(({ messages }) => {
      const events = messages.length > 2 ? says('Done.') : calls(['look', {}])
      return events.map((event) => (event.type === 'finish' ? { ...event, usage: most } : event))
    })
    const runtime = await runtimeOn(store, 'acme', model, () => 1)
    for (let round = 0; round < 2; round += 1) {
      expect(await runtime.query('Go').result()).toMatchObject({ status: 'completed' })
    }
    expect((await runtime.usage()).tokens['test/m']?.inputTokens).toBe(Number.MAX_SAFE_INTEGER)
    expect((await runtime.runs.list()).items).toHaveLength(2)
  })

  it('a run that a thread or a limit has no room for can end, and its thread is free', async () => {
    const store = await openFresh(engine)
    for (const depth of [90, 97]) {
      const model = script(calls(['look', {}]), says('Done.'), says('Again.'))
      const runtime = await runtimeOn(store, 'acme', model, () => nested(depth))
      const threadId = `deep ${depth}`
      expect(await runtime.query({ prompt: 'Go', threadId }).result()).toMatchObject({ status: 'completed' })
      expect(await runtime.query({ prompt: 'Go on', threadId }).result()).toMatchObject({ text: 'Again.' })
    }
    const endless = sayingModel(({ messages }) => calls(['look', { at: messages.length, pad: 'x'.repeat(3000) }]))
    const small = await createRuntime(specOf('globex', [look], { bytes: 60_000 }), {
      store,
      models: { test: endless },
      tools: { look: () => 'y'.repeat(3000) } as never,
    })
    const run = small.query({ prompt: 'Go', threadId: 'full' })
    // With what is stored, or with its end: either way it can be ended.
    await run.result().catch(() => {})
    await small.runs.cancel(run.runId)
    expect(['cancelled', 'limited']).toContain((await small.runs.get(run.runId)).status)
  })

  it('a runtime that cannot resume a run does not end it', async () => {
    const store = await openFresh(engine)
    const options = {
      store,
      models: { test: script(calls(['send', {}]), says('Done.')) },
      tools: { send: () => 1 } as never,
    }
    const runtime = await createRuntime(specOf('acme', [send]), options)
    const run = runtime.query('Go')
    const suspended = await run.result()
    if (suspended.status !== 'suspended') throw new Error(suspended.status)
    await runtime.approvals.respond(suspended.approvals[0]?.approvalId as string, { decision: 'approve', actor: 'kim' })
    const tenant = defineTenant('acme', 'v1')
    const idle = await createRuntime(defineRuntime({ tenant }), { store })
    expect(await codeOf(() => idle.runs.resume(run.runId).result())).toBe('SPEC_INVALID')
    const agents = [defineSpecialist({ name: 'two', model: 'test/m', prompt: 'x', tools: [send] })]
    const other = await createRuntime(defineRuntime({ tenant, agents }), options)
    expect(await codeOf(() => other.runs.resume(run.runId).result())).toBe('SPEC_INVALID')
    expect(await runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'completed', text: 'Done.' })
  })

  it('a call that may have changed something is not repeated as another call unless the tool allows it', async () => {
    const changes = [
      [{}, { effects: 'read' }],
      [{ onInterrupted: 'retry' }, { onInterrupted: 'retry', input: { type: 'object', title: 'other' } }],
    ] as const
    for (const [before, after] of changes) {
      const store = await openFresh(engine)
      const model = sayingModel(({ messages }) =>
        messages.at(-1)?.role === 'tool' ? says('Done.') : calls(['act', {}]),
      )
      const started = gate()
      let ran = 0
      const act = () => {
        ran += 1
        started.open()
        return new Promise(() => {})
      }
      const made = (more: object) =>
        createRuntime(specOf('acme', [defineTool({ name: 'act', description: 'x', input, ...more })]), {
          store,
          models: { test: model },
          tools: { act } as never,
        })
      const first = await made(before)
      const run = first.query('Go')
      await started.opened
      await first.close()
      expect(await codeOf(() => run.result())).toBe('CLOSED')
      expect(await (await made(after)).runs.resume(run.runId).result()).toMatchObject({ status: 'suspended' })
      expect(ran).toBe(1)
    }
  })

  it('refused calls and routes count like all others', async () => {
    const store = await openFresh(engine)
    const unknown = sayingModel(() => calls(['nothing', {}]))
    const runtime = await runtimeOn(store, 'acme', unknown, () => 1)
    expect(await runtime.query({ prompt: 'Go', limits: { maxToolCalls: 2 } }).result()).toMatchObject({
      status: 'limited',
      limit: 'maxToolCalls',
    })
    const agents = [
      defineCoordinator({ name: 'front', model: 'test/front', prompt: 'x', routes: ['one'] }),
      defineSpecialist({ name: 'one', model: 'test/one', prompt: 'x' }),
    ]
    const routing = sayingModel(({ modelId }) => (modelId === 'one' ? says('x') : calls(['one', { task: 'x' }])))
    const spec = defineRuntime({ tenant: defineTenant('globex', 'v1'), agents })
    const front = await createRuntime(spec, { store, models: { test: routing } })
    expect(await front.query({ prompt: 'Go', limits: { maxToolCalls: 2 } }).result()).toMatchObject({
      status: 'limited',
    })
  })

  it('a call that is refused by a person was called, as followers see it', async () => {
    const store = await openFresh(engine)
    const act = defineTool({ name: 'act', description: 'x', approval: 'always', input })
    const runtime = await createRuntime(specOf('acme', [act]), {
      store,
      models: { test: script(calls(['act', {}]), says('Done.')) },
      tools: { act: () => 1 } as never,
      approve: async () => ({ decision: 'reject', actor: 'kim' }),
    })
    const kinds = await kindsOf(runtime.query('Go'))
    expect(kinds.filter((kind) => kind.startsWith('tool.'))).toEqual(['tool.called', 'tool.failed'])
  })

  it('an ill-formed request is refused before its tenant and its target are checked', async () => {
    const store = await openFresh(engine)
    const runtime = await runtimeOn(store, 'acme', script(), () => 1)
    const idle = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1') }), { store })
    const wrong = [{ actor: 42 }, { threadId: '' }, { prompt: '\ud800' }]
    for (const more of wrong) {
      const request = { prompt: 'x', tenant: 'globex', ...more } as never
      expect(await codeOf(() => runtime.query(request).result())).toBe('INVALID_INPUT')
      expect(await codeOf(() => idle.query(request).result())).toBe('INVALID_INPUT')
    }
    expect(await codeOf(() => runtime.query({ prompt: 'x', tenant: 'globex' }).result())).toBe('TENANT_MISMATCH')
  })

  it('references of a waiting run live as long as the run may wait', async () => {
    const day = 24 * 60 * 60 * 1000
    const store = await openFresh(engine, {}, { now: noon })
    const table = defineReference({ name: 'table' })
    const use = defineTool({
      name: 'use',
      description: 'x',
      approval: 'always',
      references: { from: table },
      input: { type: 'object', properties: { from: { type: 'string' } } },
    })
    const given: string[] = []
    const model = sayingModel(({ messages }) =>
      messages.at(-1)?.role === 'tool' ? says('Done.') : calls(['use', { from: given[0] }]),
    )
    const used: unknown[] = []
    const runtime = await createRuntime(specOf('acme', [use]), {
      store,
      models: { test: model },
      tools: { use: async (from: unknown) => used.push(from) } as never,
    })
    for (const value of [1, 2]) given.push((await runtime.references.put('table', value, { ttlMs: day })).id)
    const file = { type: 'file', reference: given[1] as string, mediaType: 'application/json' } as const
    const run = runtime.query({ prompt: [{ type: 'text', text: 'Go' }, file] })
    const suspended = await run.result()
    if (suspended.status !== 'suspended') throw new Error(suspended.status)
    await store.advance(2 * day)
    await runtime.approvals.respond(suspended.approvals[0]?.approvalId as string, { decision: 'approve', actor: 'kim' })
    expect(await runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'completed' })
    expect(used).toEqual([{ from: given[0] }])
    expect((await runtime.references.describe(given[1] as string)).id).toBe(given[1])
  })
})
