import { setTimeout as after } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import {
  createRuntime,
  defineRuntime,
  defineSpecialist,
  defineTool,
  type Model,
  type Run,
  type RunLimits,
  type Runtime,
  type RuntimeOptions,
  type Store,
} from '../../ts/index.ts'
import { codeOf, failureOf } from '../support/failures.ts'
import { engines, openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { calls, gate, kindsOf, sayingModel, says, script } from './models.ts'

const act = defineTool({ name: 'act', description: 'Acts', effects: 'read', input: { type: 'object' } })
const pay = defineTool({ name: 'pay', description: 'Pays', onInterrupted: 'fail', input: { type: 'object' } })
const doer = defineSpecialist({ name: 'doer', model: 'test/m', prompt: 'Do.', tools: [act, pay] })

async function doerOn(store: Store | string, model: Model, options: Partial<RuntimeOptions> = {}, run: RunLimits = {}) {
  const spec = defineRuntime({ tenant: acme, agents: [doer], limits: { run } })
  const tools = { act: () => 'done', pay: () => 'paid' }
  return await createRuntime(spec, { store, models: { test: model }, tools, ...options })
}

describe.each(engines)('the end of a run on %s', (engine) => {
  it('each limit ends a run with its own event', async () => {
    const store = await openFresh(engine)
    const endless = () => sayingModel(() => calls(['act', {}], ['act', {}]))
    for (const [limits, limit] of [
      [{ maxSteps: 3 }, 'maxSteps'],
      [{ maxToolCalls: 5 }, 'maxToolCalls'],
      [{ maxTokens: 40 }, 'maxTokens'],
    ] as const) {
      const runtime = await doerOn(store, endless(), {}, { maxSteps: 50 })
      const run = runtime.query({ prompt: 'Go', limits })
      expect(await run.result()).toMatchObject({ status: 'limited', limit })
      expect((await kindsOf(run)).at(-1)).toBe('run.limited')
      expect((await kindsOf(run)).filter((kind) => kind === 'model.completed')).toHaveLength(
        3 - Number(limit === 'maxToolCalls') * 0,
      )
      // The tenant's own limit holds, too, and the thread can be gone on with.
      const again = await doerOn(store, endless(), {}, limits)
      const second = await again
        .query({ prompt: 'Go', threadId: run.threadId as string, limits: { maxSteps: 40 } })
        .result()
      expect(second).toMatchObject({ status: 'limited', limit })
    }
    const stuck: Model = {
      async *stream() {
        await new Promise(() => {})
      },
    }
    const runtime = await doerOn(store, stuck)
    const slow = await runtime.query({ prompt: 'Go', limits: { maxDurationMs: 20 } }).result()
    expect(slow).toMatchObject({ status: 'limited', limit: 'maxDurationMs' })
  })

  it('a model that calls tools for ever is stopped even if no limit is set', async () => {
    const store = await openFresh(engine)
    const one = () => sayingModel(() => calls(['act', {}]))
    const many = () => sayingModel(() => calls(...Array.from({ length: 30 }, () => ['act', {}] as const)))
    for (const [model, run, limits, limit, steps] of [
      [one(), {}, {}, 'maxSteps', 64],
      [many(), {}, {}, 'maxToolCalls', 9],
      // The spec or the request may say more, and each limit stands for itself.
      [one(), { maxSteps: 65 }, {}, 'maxSteps', 65],
      [one(), {}, { maxSteps: 66 }, 'maxSteps', 66],
      [many(), { maxSteps: 200 }, {}, 'maxToolCalls', 9],
      [many(), {}, { maxToolCalls: 300 }, 'maxToolCalls', 11],
    ] as const) {
      const runtime = await doerOn(store, model, {}, run)
      expect(await runtime.query({ prompt: 'Go', limits }).result()).toMatchObject({ status: 'limited', limit })
      expect(model.requests).toHaveLength(steps)
      expect((await runtime.usage()).limits.run).toEqual({ maxSteps: 64, maxToolCalls: 256, ...run })
      expect(JSON.stringify(runtime.spec)).not.toContain('maxToolCalls')
    }
  })

  it('cancelling reaches the callbacks, and the thread can continue', async () => {
    const store = await openFresh(engine)
    const ways: ((run: Run, runtime: Runtime, stop: AbortController) => unknown)[] = [
      (run) => run.cancel(),
      (_run, _runtime, stop) => stop.abort(),
      (run, runtime) => runtime.runs.cancel(run.runId),
    ]
    for (const way of ways) {
      const [started, aborted, stop] = [gate(), gate(), new AbortController()]
      const runtime = await doerOn(store, script(calls(['act', {}], ['pay', {}])), {
        tools: {
          act: (_: unknown, { signal }: { signal: AbortSignal }) => {
            signal.addEventListener('abort', aborted.open)
            started.open()
            return new Promise(() => {})
          },
          pay: () => 'paid',
        },
      })
      const run = runtime.query({ prompt: 'Go', signal: stop.signal })
      await started.opened
      await way(run, runtime, stop)
      expect(await run.result()).toMatchObject({ status: 'cancelled' })
      await aborted.opened
      const kinds = await kindsOf(run)
      expect([kinds.includes('tool.called'), kinds.at(-1)]).toEqual([true, 'run.cancelled'])
      const next = await doerOn(store, script(says('Again.')))
      const threadId = run.threadId as string
      expect(await next.query({ prompt: 'And now?', threadId }).result()).toMatchObject({ text: 'Again.' })
      run.cancel()
    }
    // Before it has begun, and a signal that was aborted before.
    const runtime = await doerOn(
      store,
      sayingModel(() => says('x')),
    )
    const early = runtime.query({ prompt: 'Go', signal: AbortSignal.abort() })
    expect(await early.result()).toMatchObject({ status: 'cancelled' })
  })

  it('closing leaves runs interrupted, rejects theirs with ClosedError, and another runtime resumes them', async () => {
    const store = await openFresh(engine)
    const started = gate()
    const paid: string[] = []
    const runtime = await doerOn(store, script(calls(['act', {}], ['pay', {}])), {
      tools: {
        act: () => {
          started.open()
          return new Promise(() => {})
        },
        pay: (_: unknown, { idempotencyKey }: { idempotencyKey: string }) => {
          paid.push(idempotencyKey)
          return 'paid'
        },
      },
    })
    const run = runtime.query('Go')
    const iterated = codeOf(async () => await kindsOf(run))
    await started.opened
    await runtime.close()
    expect(await codeOf(() => run.result())).toBe('CLOSED')
    expect(await iterated).toBe('CLOSED')
    expect(await codeOf(() => runtime.query('x').result())).toBe('CLOSED')
    const next = await doerOn(store, script(says('Recovered.')), {
      tools: {
        act: () => 'done',
        pay: (_: unknown, { idempotencyKey }: { idempotencyKey: string }) => {
          paid.push(idempotencyKey)
          return 'paid'
        },
      },
    })
    expect(await next.runs.get(run.runId)).toMatchObject({ status: 'interrupted' })
    expect((await next.runs.list({ status: 'interrupted' })).items.map(({ runId }) => runId)).toEqual([run.runId])
    expect((await next.runs.list({ status: 'running' })).items).toEqual([])
    expect(await codeOf(() => next.query({ prompt: 'x', threadId: run.threadId as string }).result())).toBe(
      'THREAD_BUSY',
    )
    const resumed = next.runs.resume(run.runId)
    expect(await resumed.result()).toMatchObject({ status: 'completed', text: 'Recovered.' })
    // It was paid when the runtime was closed, and either its result was kept or nobody pays again.
    expect(paid).toHaveLength(1)
    expect((await kindsOf(resumed)).at(-1)).toBe('run.completed')
  })

  it('a store that is closed ends its runs', async () => {
    const store = await openFresh(engine)
    const started = gate()
    const stuck: Model = {
      async *stream() {
        started.open()
        await new Promise(() => {})
      },
    }
    const run = (await doerOn(store, stuck)).query('Go')
    await started.opened
    await store.close()
    expect(await codeOf(() => run.result())).toBe('CLOSED')
  })

  it('of two runs on one thread one wins', async () => {
    const store = await openFresh(engine)
    const runtime = await doerOn(
      store,
      sayingModel(() => says('Mine.')),
    )
    const runs = Array.from({ length: 5 }, () => runtime.query({ prompt: 'Go', threadId: 'shared' }))
    const outcomes = await Promise.allSettled(runs.map((run) => run.result()))
    const won = outcomes.filter(({ status }) => status === 'fulfilled')
    expect(won.length).toBeGreaterThan(0)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'THREAD_BUSY' })
    }
    const { items } = await runtime.threads.messages('shared')
    expect(items.map(({ role }) => role)).toEqual(won.flatMap(() => ['user', 'assistant']))
    const failure = await failureOf(() =>
      runtime.runs
        .resume(runs[0]?.runId as string)
        .result()
        .then(() => runtime.runs.get('x')),
    )
    expect(failure.code).toBe('NOT_FOUND')
  })

  it('a follower sees every event once, live and from the journal', async () => {
    const store = await openFresh(engine)
    const ready = gate()
    const model: Model = {
      async *stream(request) {
        if (request.messages.length > 1) {
          yield { type: 'text.delta', id: 'a', delta: 'One ' }
          await ready.opened
          yield { type: 'text.delta', id: 'a', delta: 'two 😀 ' }
          await after(5)
          yield { type: 'text.delta', id: 'a', delta: 'three' }
          yield { type: 'finish', reason: 'stop', usage: {} }
        } else yield* calls(['act', {}])
      },
    }
    const runtime = await doerOn(store, model)
    const run = runtime.query('Go')
    const read = async (afterSequence?: number) => {
      let text = ''
      const sequences: number[] = []
      for await (const event of runtime.runs.follow(
        run.runId,
        afterSequence === undefined ? {} : { after: afterSequence },
      )) {
        if (event.type === 'text.delta') {
          expect(event.offset).toBe(text.length)
          text += event.delta
          if (text === 'One ') ready.open()
        } else if ('sequence' in event) sequences.push(event.sequence)
      }
      return { text, sequences }
    }
    const live = await read()
    expect(live).toEqual({ text: 'One two 😀 three', sequences: live.sequences.map((_, at) => at) })
    expect(await read()).toEqual(live)
    const late = await read(3)
    expect(late).toEqual({ text: live.text, sequences: live.sequences.slice(4) })
    expect(await read(live.sequences.length - 1)).toEqual({ text: '', sequences: [] })
    expect((await runtime.traces.list({ runId: run.runId })).items.map(({ sequence }) => sequence)).toEqual(
      live.sequences.toReversed(),
    )
    const pages: number[] = []
    let cursor: string | undefined
    do {
      const page = await runtime.traces.list({
        runId: run.runId,
        limit: 3,
        ...(cursor === undefined ? {} : { cursor }),
      })
      pages.push(...page.items.map(({ sequence }) => sequence))
      cursor = page.cursor
    } while (cursor !== undefined)
    expect(pages).toEqual(live.sequences.toReversed())
    expect((await runtime.traces.list({ runId: `run_${'a'.repeat(32)}` })).items).toEqual([])
  })
})
