import { AsyncLocalStorage } from 'node:async_hooks'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  type Around,
  createHost,
  createRuntime,
  defineQuestion,
  defineRuntime,
  defineSpecialist,
  defineTool,
  type Model,
  type ModelEvent,
  type RunEvent,
  type Runtime,
  type RuntimeOptions,
  type ToolCall,
  waitFor,
} from '../../ts/index.ts'
import { openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { calls, eventsOf, gate, sayingModel, says, script } from './models.ts'

const input = { type: 'object' } as const
const pay = defineTool({ name: 'pay', description: 'Pays', input })
const checked = defineTool({
  name: 'checked',
  description: 'Is checked',
  input: z.object({ n: z.number().transform((n) => n + 1) }),
  output: z.object({ ok: z.boolean() }),
})
const guarded = defineTool({ name: 'guarded', description: 'Is approved', input, approval: 'always' })
const hook = defineTool({ name: 'hook', description: 'Waits', input })
const steps = defineTool({ name: 'steps', description: 'Has steps', input })
const ask = defineQuestion({ name: 'ask', description: 'Asks', answer: { type: 'string' } })
const tools = [pay, checked, guarded, hook, steps, ask]
const clerk = defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.', tools })
const spec = defineRuntime({ tenant: acme, agents: [clerk] })

async function open(model: Model, around: Around, more: Partial<RuntimeOptions> = {}): Promise<Runtime> {
  const options: RuntimeOptions = {
    store: await openFresh('memory'),
    models: { test: model },
    around,
    ...more,
    tools: {
      pay: () => 'paid',
      checked: () => ({ ok: true }),
      guarded: () => 'done',
      hook: (_, { resumed }) => (resumed === undefined ? waitFor.event({ name: 'e' }) : 'resumed'),
      steps: function* () {
        yield 'half'
        return 'whole'
      },
      ...more.tools,
    },
  }
  return (await createRuntime(spec, options as never)) as unknown as Runtime
}

/** How one call of a tool ends with a hook: its result, or the code and message of its failure. */
async function outcome(tool: Around['tool'], name = 'pay', more: Partial<RuntimeOptions> = {}, asked: object = {}) {
  const errors: unknown[] = []
  const runtime = await open(script(calls([name, asked]), says('Done.')), tool ? { tool } : {}, {
    onError: (error) => errors.push(error),
    ...more,
  })
  const events = await eventsOf(runtime.query('Go'))
  const end = events.find(({ type }) => type === 'tool.completed' || type === 'tool.failed')
  return { end, errors, events }
}

/** How one answer of a model ends with a hook. */
async function answer(model: Around['model'], said: Model = script(says('Hello.'))) {
  const errors: unknown[] = []
  const runtime = await open(said, model ? { model } : {}, { onError: (error) => errors.push(error) })
  return { result: await runtime.query('Go').result(), errors }
}

describe('a hook around the calls of tools', () => {
  it('sees each call with its own context, before and after, and may change the result', async () => {
    const seen: unknown[] = []
    const around: Around['tool'] = async (call, next) => {
      expect(Object.isFrozen(call)).toBe(true)
      seen.push([call.tool, call.input, call.context.tenant.resourceId])
      return { was: await next() }
    }
    expect((await outcome(around, 'pay', {}, { euros: 3 })).end).toMatchObject({ result: { was: 'paid' } })
    expect((await outcome(async (_, next) => await next(), 'steps')).end).toMatchObject({ result: 'whole' })
    expect((await outcome((call, next) => next(call))).end).toMatchObject({ result: 'paid' })
    expect(seen).toEqual([['pay', { euros: 3 }, 'acme']])
  })

  it('may answer in place of the handler, which is not called then', async () => {
    let isCalled = false
    const tools = {
      pay: () => {
        isCalled = true
      },
    }
    expect((await outcome(() => 'from a cache', 'pay', { tools })).end).toMatchObject({ result: 'from a cache' })
    expect(isCalled).toBe(false)
  })

  it('an error that it throws is the failure of the call, which the host is told of', async () => {
    for (const around of [
      () => {
        throw Object.assign(new Error('blocked'), { code: 'X' })
      },
      () => Promise.reject(new Error('blocked')),
      async (_: ToolCall, next: () => Promise<unknown>) => {
        await next()
        throw new Error('blocked')
      },
    ] as Around['tool'][]) {
      const { end, errors } = await outcome(around)
      expect(end).toMatchObject({ type: 'tool.failed', error: { code: 'TOOL_FAILED', message: 'blocked' } })
      expect(errors).toEqual([expect.objectContaining({ message: 'blocked' })])
    }
  })

  it('to return nothing is a failure, unless the handler returned nothing', async () => {
    const forgets: Around['tool'] = async (_, next) => {
      await next()
    }
    const failed = { type: 'tool.failed', error: { message: expect.stringContaining('around.tool returned nothing') } }
    expect((await outcome(forgets)).end).toMatchObject(failed)
    expect((await outcome(() => {})).end).toMatchObject(failed)
    expect((await outcome(forgets, 'pay', { tools: { pay: () => undefined } })).end).toMatchObject({ result: null })
  })

  it('calls the handler once, and only while it is called itself', async () => {
    let count = 0
    const tools = {
      pay: () => {
        count += 1
        return 'paid'
      },
    }
    const twice: Around['tool'] = async (_, next) => [await next(), await next().catch((error: Error) => error.message)]
    expect((await outcome(twice, 'pay', { tools })).end).toMatchObject({
      result: ['paid', expect.stringContaining('can be called once')],
    })
    const late = gate()
    let told: Promise<unknown> | undefined
    const leaves: Around['tool'] = (_, next) => {
      told = late.opened.then(() => next()).catch((error: Error) => error.message)
      return 'left'
    }
    expect((await outcome(leaves, 'pay', { tools })).end).toMatchObject({ result: 'left' })
    late.open()
    expect(await told).toMatch(/after the hook had ended/)
    expect(count).toBe(1)
  })

  it('a handler that fails while nobody waits for it ends nothing', async () => {
    const tools = { pay: () => Promise.reject(new Error('unheard')) }
    const leaves: Around['tool'] = (_, next) => {
      next()
      return 'left'
    }
    expect((await outcome(leaves, 'pay', { tools })).end).toMatchObject({ result: 'left' })
  })

  it('cannot change the arguments, neither in place nor for the handler', async () => {
    const inPlace: Around['tool'] = (call, next) => {
      Object.assign(call.input as object, { euros: 9 })
      return next()
    }
    expect((await outcome(inPlace, 'pay', {}, { euros: 3 })).end).toMatchObject({ type: 'tool.failed' })
    const given: unknown[] = []
    const tools = { pay: (asked: unknown) => void given.push(asked) }
    for (const changed of [{ input: { euros: 9 } }, { tool: 'steps' }]) {
      const other: Around['tool'] = (call, next) => next({ ...call, ...changed })
      expect((await outcome(other, 'pay', { tools }, { euros: 3 })).end).toMatchObject({
        error: { message: expect.stringContaining('cannot change what a tool is called with') },
      })
    }
    await outcome((call, next) => next({ ...call }), 'pay', { tools }, { euros: 3 })
    expect(given).toEqual([{ euros: 3 }])
  })

  it('what it returns passes the checks of the handler’s result', async () => {
    const gives = async (value: unknown, name = 'pay') => (await outcome(async () => value, name, {}, { n: 1 })).end
    expect(await gives(new Map())).toMatchObject({ type: 'tool.failed' })
    expect(await gives(1n)).toMatchObject({ type: 'tool.failed' })
    expect(await gives({ ok: 'no' }, 'checked')).toMatchObject({
      type: 'tool.failed',
      error: { code: 'RESULT_INVALID' },
    })
    expect(await gives({ ok: false }, 'checked')).toMatchObject({ result: { ok: false } })
    const foreign = { id: `ref_${'a'.repeat(32)}`, type: 'file', mediaType: 'a/b', byteLength: 1 }
    expect(await gives(foreign)).toMatchObject({ type: 'tool.failed' })
  })

  it('sees the arguments as they were asked, and only those that are valid', async () => {
    const seen: unknown[] = []
    const handled: unknown[] = []
    const tools = {
      checked: (asked: unknown) => {
        handled.push(asked)
        return { ok: true }
      },
    }
    const around: Around['tool'] = (call, next) => {
      seen.push(call.input)
      return next()
    }
    await outcome(around, 'checked', { tools }, { n: 1 })
    const { end } = await outcome(around, 'checked', { tools }, { n: 'x' })
    expect([seen, handled]).toEqual([[{ n: 1 }], [{ n: 2 }]])
    expect(end).toMatchObject({ type: 'tool.failed', error: { code: 'INPUT_INVALID' } })
  })

  it('a call that waits goes through it both times, and an approved one once it is approved', async () => {
    const seen: unknown[] = []
    const around: Around = {
      tool: (call, next) => {
        seen.push([call.tool, call.context.resumed?.kind])
        return next()
      },
    }
    const model = script(calls(['hook', {}], ['ask', { question: 'Which?' }], ['guarded', {}]), says('Done.'))
    const runtime = await open(model, around)
    const run = runtime.query('Go')
    expect(await run.result()).toMatchObject({ status: 'suspended' })
    expect(seen).toEqual([
      ['hook', undefined],
      ['ask', undefined],
    ])
    for (const { waitId } of (await runtime.waits.list()).items) await runtime.waits.settle(waitId, { value: 'x' })
    const [pending] = (await runtime.approvals.pending()).items
    await runtime.approvals.respond(pending?.approvalId as string, { decision: 'approve', actor: 'kim' })
    expect(await runtime.runs.resume(run.runId).result()).toMatchObject({ status: 'completed' })
    expect(seen.slice(2).toSorted()).toEqual([
      ['ask', 'answer'],
      ['guarded', undefined],
      ['hook', 'event'],
    ])
  })
})

describe('a hook around the requests to models', () => {
  it('may change the request and the events of the answer, and the run keeps what it gave', async () => {
    const model = sayingModel(() => says('The number is 4711.'))
    const around: Around['model'] = async function* (request, next, context) {
      expect(context).toMatchObject({
        tenant: acme,
        agent: 'clerk',
        model: 'test/m',
        runId: expect.stringMatching(/^run_/),
      })
      for await (const event of next({ ...request, system: 'Redacted.' })) {
        yield event.type === 'text.delta' ? { ...event, delta: event.delta.replace('4711', '****') } : event
      }
    }
    expect((await answer(around, model)).result).toMatchObject({ status: 'completed', text: 'The number is ****.' })
    const [request] = model.requests
    expect(request?.system).toBe('Redacted.')
    expect(request?.signal).toBeInstanceOf(AbortSignal)
  })

  it('may return the events as they are, at once or later, or answer in place of the model', async () => {
    for (const around of [
      (request, next) => next(request),
      (_, next) => next(),
      async (request, next) => next(request),
      (_, next) => next({ system: 'Only this.' } as never),
      () => says('Hello.') as never,
    ] as NonNullable<Around['model']>[]) {
      expect((await answer(around)).result).toMatchObject({ status: 'completed', text: 'Hello.' })
    }
  })

  it('an error that it throws is the failure of the model, which is retried as it says', async () => {
    const { result, errors } = await answer(() => {
      throw new Error('blocked')
    })
    expect(result).toMatchObject({
      status: 'failed',
      error: { code: 'MODEL_FAILED', message: expect.stringContaining('blocked') },
    })
    expect(errors).toEqual([expect.objectContaining({ message: 'blocked' })])
    let attempts = 0
    const once: Around['model'] = (request, next) => {
      attempts += 1
      if (attempts === 1) throw Object.assign(new Error('again'), { retryable: true, retryAfterMs: 1 })
      return next(request)
    }
    expect((await answer(once)).result).toMatchObject({ status: 'completed' })
    expect(attempts).toBe(2)
  })

  it('what it returns passes the checks of a model’s answer', async () => {
    const failure = async (events: unknown) => (await answer(() => events as never)).result
    for (const nothing of [undefined, null, 5, {}]) {
      expect(await failure(nothing)).toMatchObject({
        status: 'failed',
        error: { message: expect.stringContaining('around.model returned') },
      })
    }
    expect(await failure([{ type: 'text.delta', id: 't', delta: 5 }])).toMatchObject({ status: 'failed' })
    expect(await failure([null])).toMatchObject({ status: 'failed' })
  })

  it('asks the model once, and only while the answer is read', async () => {
    const twice: Around['model'] = async function* (request, next) {
      yield* next(request)
      yield* next(request)
    }
    const { result } = await answer(async function* (request, next) {
      for await (const event of next(request)) if (event.type !== 'finish') yield event
      yield* next(request)
    })
    expect(result).toMatchObject({
      status: 'failed',
      error: { message: expect.stringContaining('can be called once') },
    })
    // The first answer was whole.
    expect((await answer(twice)).result).toMatchObject({ status: 'completed' })
    let late: (() => unknown) | undefined
    await answer((request, next) => {
      late = () => next(request)
      return says('Hello.') as never
    })
    expect(() => late?.()).toThrow(/after the hook had ended/)
    expect((await answer((_, next) => next('x' as never))).result).toMatchObject({ status: 'failed' })
  })

  it('a run that is cancelled ends the model and the hook', async () => {
    const [asked, ended] = [gate(), gate()]
    const model: Model = {
      async *stream({ signal }) {
        asked.open()
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
        yield* []
      },
    }
    const runtime = await open(model, {
      async *model(request, next) {
        try {
          yield* next(request)
        } finally {
          ended.open()
        }
      },
    })
    const run = runtime.query('Go')
    await asked.opened
    run.cancel()
    expect(await run.result()).toMatchObject({ status: 'cancelled' })
    await ended.opened
  })
})

describe('hooks of a host', () => {
  it('each call of a tenant is seen with that tenant alone, in the context of its own query', async () => {
    const store = new AsyncLocalStorage<string>()
    const seen: string[] = []
    const see = (kind: string, tenant: string) => void seen.push(`${kind} ${tenant} ${store.getStore()}`)
    const host = await createHost(spec, {
      store: await openFresh('memory'),
      models: {
        test: {
          async *stream({ messages }) {
            yield* messages.length > 1 ? says('Done.') : calls(['pay', {}])
          },
        },
      },
      tools: { pay: () => 'paid', checked: () => ({ ok: true }), guarded: () => 1, hook: () => 1, steps: () => 1 },
      around: {
        model: (request, next, { tenant }) => {
          see('model', tenant.resourceId)
          return next(request)
        },
        tool: ({ context }, next) => {
          see('tool', context.tenant.resourceId)
          return next()
        },
      },
    })
    const names = ['acme', 'globex']
    await Promise.all(
      names.map(async (name) => {
        const runtime = await host.runtime(name)
        await store.run(name, () => runtime.query('Go').result())
      }),
    )
    expect(seen.toSorted()).toEqual(
      names.flatMap((name) => ['model', 'model', 'tool'].map((kind) => `${kind} ${name} ${name}`)).toSorted(),
    )
    await host.close()
  })
})

describe('hooks that do nothing', () => {
  it('change nothing of any run', async () => {
    const turn = fc.constantFrom<readonly ModelEvent[]>(
      calls(['pay', { euros: 3 }]),
      calls(['checked', { n: 1 }], ['steps', {}]),
      calls(['checked', { n: 'x' }]),
      calls(['unknown', {}]),
      [{ type: 'text.delta', id: 't', delta: 'Hm. ' }, ...calls(['pay', 'no json'])],
    )
    const idle: Around = {
      model: (request, next) => next(request),
      tool: (_, next) => next(),
    }
    const shapeOf = async (turns: readonly (readonly ModelEvent[])[], around: Around) => {
      const runtime = await open(script(...turns, says('Done.')), around)
      const events = await eventsOf(runtime.query('Go'))
      await runtime.close()
      return JSON.parse(
        JSON.stringify(events, (key, value) =>
          ['runId', 'at', 'messageId', 'text.delta'].includes(key) ? undefined : value,
        ),
      ).filter(({ type }: RunEvent) => !type.endsWith('.delta'))
    }
    await fc.assert(
      fc.asyncProperty(fc.array(turn, { maxLength: 4 }), async (turns) => {
        expect(await shapeOf(turns, idle)).toEqual(await shapeOf(turns, {}))
      }),
      { numRuns: 30 },
    )
  })
})
