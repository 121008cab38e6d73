import { executionAsyncResource } from 'node:async_hooks'
import v8 from 'node:v8'
import vm from 'node:vm'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createRuntime, type Model, type ModelEvent, type Runtime, type ToolContext } from '../../../ts/index.ts'
import { gate, says, usage } from '../../loop/models.ts'
import { specOf } from '../../loop/specs.ts'
import { openFresh, runtimeFor } from '../../support/stores.ts'

const fail = () => {
  throw new Error('sabotage')
}

/** Puts something else in place of a member, until the test is over. */
function replace(target: object, name: string, descriptor: PropertyDescriptor): () => void {
  const before = Object.getOwnPropertyDescriptor(target, name)
  Object.defineProperty(target, name, { configurable: true, ...descriptor })
  const restore = () => {
    if (before === undefined) Reflect.deleteProperty(target, name)
    else Object.defineProperty(target, name, before)
  }
  onTestFinished(restore)
  return restore
}

/** The members of every signal, each with what a host may put in its place. */
const members = ['dispatchEvent', 'addEventListener', 'removeEventListener', 'aborted', 'onabort', 'reason', 'then']
const sabotage: readonly [string, (signal: AbortSignal) => void][] = members.flatMap((name) => [
  [`${name} that throws`, (signal: AbortSignal) => void replace(signal, name, { get: fail, set: fail })] as const,
  [
    `${name} that is a function that throws`,
    (signal: AbortSignal) => void replace(signal, name, { value: fail }),
  ] as const,
])

const calling: ModelEvent[] = [
  { type: 'tool.call', callId: 'one', tool: 'look', input: '{}' },
  { type: 'finish', reason: 'tool-calls', usage },
]

interface Parts {
  readonly look?: (context: ToolContext) => unknown
  readonly model?: Model
  readonly env?: { readonly [name: string]: string }
}

async function runtimeOf({ look = () => 'seen', model, env }: Parts): Promise<Runtime> {
  const plain: Model = {
    async *stream({ messages }) {
      yield* messages.length > 1 ? says('done') : calling
    },
  }
  return await createRuntime(specOf('acme'), {
    store: await openFresh('memory'),
    models: { test: model ?? plain },
    tools: { look: (_, context) => look(context) as never },
    ...(env && { env }),
  })
}

/** Waits for the end of its signal. */
function over(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    AbortSignal.prototype.addEventListener.call(signal, 'abort', () => reject(new Error('over')))
  })
}

describe('what a host puts onto a signal that it is given', () => {
  it.each(sabotage)('%s: a cancelled tool and a cancelled model end, and so do their runs', async (_, spoil) => {
    const cancel: { run?: () => void } = {}
    const wait = (signal: AbortSignal) => {
      const ended = over(signal)
      spoil(signal)
      setImmediate(() => cancel.run?.())
      return ended
    }
    const model: Model = {
      async *stream({ signal }) {
        yield { type: 'text.delta', id: 't', delta: 'x' }
        await wait(signal)
      },
    }
    for (const runtime of [await runtimeOf({ look: ({ signal }) => wait(signal) }), await runtimeOf({ model })]) {
      const run = runtime.query('Go')
      cancel.run = () => run.cancel()
      expect(await run.result()).toMatchObject({ status: 'cancelled' })
    }
  })

  it.each(sabotage)('%s: a tool and a model that are not cancelled still answer', async (_, spoil) => {
    const model: Model = {
      async *stream({ signal, messages }) {
        spoil(signal)
        for (const event of messages.length > 1 ? says('done') : calling) {
          yield event
          await new Promise(setImmediate)
        }
      },
    }
    const runtime = await runtimeOf({ look: ({ signal }) => void spoil(signal), model })
    expect(await runtime.query('Go').result()).toMatchObject({ status: 'completed' })
  })
})

describe('what a host puts onto a signal that it gives', () => {
  it.each(sabotage)('%s: the run ends as usual, and following it ends', async (_, spoil) => {
    const runtime = await runtimeOf({})
    const { signal } = new AbortController()
    spoil(signal)
    const run = runtime.query({ prompt: 'Go', signal })
    expect(await run.result()).toMatchObject({ status: 'completed' })
    const events: unknown[] = []
    for await (const event of runtime.runs.follow(run.runId, { signal })) events.push(event)
    expect(events.length).toBeGreaterThan(3)
    await expect(
      runtime.runs
        .follow(`run_${'a'.repeat(32)}`, { signal })
        [Symbol.asyncIterator]()
        .next(),
    ).rejects.toThrow()
    await expect(runtime.query({ prompt: [{ type: 'nothing' }] as never, signal }).result()).rejects.toThrow()
  })

  it('an object that only looks like a signal is refused', async () => {
    const runtime = await runtimeOf({})
    const signal = Object.create(AbortSignal.prototype, { aborted: { value: false } })
    await expect(runtime.query({ prompt: 'Go', signal }).result()).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    expect(() => runtime.runs.follow('x', { signal })).toThrow('signal must be an AbortSignal.')
    expect(() => runtime.traces.follow({ signal })).toThrow('signal must be an AbortSignal.')
    expect((await runtime.runs.list()).items).toEqual([])
  })
})

describe('what a host puts in the place of what is global', () => {
  const globals = ['setImmediate', 'clearImmediate', 'setInterval', 'setTimeout', 'queueMicrotask']
  it.each(globals.flatMap((name) => [[name, () => ({})] as const, [name, fail] as const]))(
    '%s: every call is answered, during it and afterwards (%s)',
    async (name, value) => {
      const runtime = await runtimeOf({})
      await runtime.cache.set('key', 'value')
      const gets = () => Array.from({ length: 50 }, () => runtime.cache.get('key'))
      const restore = replace(globalThis, name, { value, writable: true })
      const [meanwhile, run] = [Promise.all(gets()), runtime.query('Go').result()]
      const answers = await meanwhile
      const result = await run
      restore()
      expect(new Set(answers)).toEqual(new Set(['value']))
      expect(result).toMatchObject({ status: 'completed' })
      expect(new Set(await Promise.all(gets()))).toEqual(new Set(['value']))
    },
  )

  it('a method of the context that a run is called in: the run ends', async () => {
    const model: Model = {
      async *stream({ messages }) {
        Object.assign(executionAsyncResource(), { runInAsyncScope: fail })
        yield* messages.length > 1 ? says('done') : calling
      },
    }
    const runtime = await runtimeOf({ model })
    expect(await runtime.query('Go').result()).toMatchObject({ status: 'completed' })
  })
})

describe('a callback that fails', () => {
  it.each<readonly [string, () => unknown]>([
    [
      'a message that is as long as a text can be',
      () => Object.assign(new Error(), { message: 'x'.repeat(2 ** 29 - 24) }),
    ],
    ['a text', () => 'no'],
    ['a message of lone surrogates', () => new Error('\ud800'.repeat(100_000))],
  ])('with %s: the model receives the failure', async (_, error) => {
    const runtime = await runtimeOf({
      look: () => {
        throw error()
      },
    })
    expect(await runtime.query('Go').result()).toMatchObject({ status: 'completed' })
  })

  it('if reading its secrets fails too: the run ends', async () => {
    let isDown = false
    const env = {
      get KEY(): string {
        if (isDown) fail()
        return 'a secret of acme'
      },
    }
    const spec = { ...specOf('acme'), providers: { test: { apiKeyEnv: 'KEY' } } }
    const runtime = await createRuntime((await import('../../../ts/index.ts')).defineRuntime(spec as never), {
      store: await openFresh('memory'),
      models: {
        test: {
          async *stream({ messages }) {
            yield* messages.length > 1 ? says('done') : calling
          },
        },
      },
      tools: {
        look: () => {
          isDown = true
          throw new Error('a secret of acme')
        },
      },
      env,
    })
    const result = await runtime.query('Go').result()
    expect(result).toMatchObject({ status: 'completed' })
    expect(JSON.stringify(await runtime.traces.list())).not.toContain('a secret of acme')
  })

  it('a model whose iterator never returns still reports its failure', async () => {
    const stream = () => ({
      [Symbol.asyncIterator]: () => ({
        next: async () => ({
          done: false as const,
          value: { type: 'text.delta', id: 't', delta: 'x', metadata: 1n } as never,
        }),
        return: () => new Promise<never>(() => {}),
      }),
    })
    const runtime = await runtimeOf({ model: { stream } })
    expect(await runtime.query('Go').result()).toMatchObject({ status: 'failed' })
  })

  it('a result that lies about its length is measured, and refused', async () => {
    const bytes = Object.defineProperty(new Uint8Array((64 << 20) + 1), 'length', { value: 1 })
    const runtime = await runtimeOf({ look: () => bytes })
    await runtime.query('Go').result()
    expect(JSON.stringify(await runtime.traces.list())).toContain('at most 67108864')
  })
})

describe('what must not be refused because a tenant is busy', () => {
  it.each<readonly [string, (runtime: Runtime, run: { runId: string; cancel(): void }, abort: () => void) => unknown]>([
    ['runs.cancel', (runtime, { runId }) => runtime.runs.cancel(runId)],
    ['Run.cancel', (_, run) => run.cancel()],
    ['the signal of the request', (_, __, abort) => abort()],
  ])('cancelling by %s works while the in-flight limit is reached', async (_, cancel) => {
    const { opened, open } = gate()
    const model: Model = {
      async *stream() {
        yield* calling
      },
    }
    const runtime = await createRuntime(specOf('acme', undefined, { inFlightBytes: 64 << 10 }), {
      store: await openFresh('memory'),
      models: { test: model },
      tools: {
        look: (_, { signal }) => {
          open()
          return over(signal)
        },
      },
    })
    const controller = new AbortController()
    const run = runtime.query({ prompt: 'Go', signal: controller.signal })
    await opened
    // Calls that wait for a computation that never ends hold what they hold.
    let isFull = false
    while (!isFull) {
      const call = runtime.cache.getOrCompute('key'.padEnd(500, 'x'), {}, () => new Promise<never>(() => {}))
      const refused = call.catch(() => {
        isFull = true
      })
      await Promise.race([refused, new Promise(setImmediate)])
    }
    await cancel(runtime, run, () => controller.abort())
    expect(await run.result()).toMatchObject({ status: 'cancelled' })
  })
})

describe('a runtime that nobody holds any more', () => {
  it('keeps its handle until its calls are answered', async () => {
    v8.setFlagsFromString('--expose-gc')
    const collect = vm.runInNewContext('gc') as () => void
    const store = await openFresh('memory', { openedCacheBytes: 0 })
    const { id } = await (await runtimeFor(store)).references.put('note', 'hello')
    const read = async () => {
      const { references } = await runtimeFor(store)
      return references.resolve(id)
    }
    for (let index = 0; index < 200; index += 1) {
      const reading = read()
      await new Promise(setImmediate)
      collect()
      expect((await reading).text()).toBe('hello')
    }
  })
})
