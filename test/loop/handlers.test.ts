import { Readable } from 'node:stream'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { refuseLost } from '../../ts/arguments/lost-in-json.ts'
import {
  createRuntime,
  defineRuntime,
  defineSpecialist,
  defineTool,
  type ErrorSource,
  type RuntimeOptions,
} from '../../ts/index.ts'
import { codeOf } from '../support/failures.ts'
import { openFresh, runtimeFor } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { callOnce, object } from './call-once.ts'
import { calls, gate, sayingModel, says, script } from './models.ts'
import { specOf } from './specs.ts'

class Account {
  readonly #balance = 5
  get balance() {
    return this.#balance
  }
}
class Point {
  readonly x = 1
}

/** Values of which JSON keeps nothing, each with what it is called. */
const lost: readonly [string, () => unknown][] = [
  ['an Error', () => new Error('no')],
  ['an Error', () => new AggregateError([new Error('no')])],
  ['an Error', () => Object.assign(new TypeError('no'), { statusCode: 500 })],
  ['an Error', () => runInNewContext('new Error("no")')],
  ['a Map', () => new Map([[1, 2]])],
  ['a Map', () => runInNewContext('new Map()')],
  ['a Set', () => new Set([1])],
  ['WeakMap', () => new WeakMap()],
  ['WeakSet', () => new WeakSet()],
  ['RegExp', () => /x/],
  ['Response', () => new Response('x')],
  ['Headers', () => new Headers()],
  ['Blob', () => new Blob(['x'])],
  ['FormData', () => new FormData()],
  ['ReadableStream', () => new ReadableStream()],
  ['WritableStream', () => new WritableStream()],
  ['Readable', () => Readable.from(['x'])],
  ['AbortController', () => new AbortController()],
  ['Account', () => new Account()],
  ['piece by piece', () => [1, 2].values()],
  ['piece by piece', () => new Map([[1, 2]]).entries()],
  ['a function', () => () => 1],
  ['a function', () => class {}],
  ['a symbol', () => Symbol('x')],
  ['binary data', () => new Float64Array(2)],
  ['binary data', () => new ArrayBuffer(2)],
]

describe('results of a handler', () => {
  it('nothing is lost in silence, wherever in a result it is', async () => {
    const places: readonly ((value: unknown) => unknown)[] = [
      (value) => ({ found: 3, value }),
      (value) => [1, [{ value }]],
      (value) => ({ deep: { deeper: [null, { deepest: { value } }] } }),
      (value) => Object.assign(new Point(), { value }),
    ]
    for (const [name, make] of lost) {
      for (const place of places) {
        const { part, told, message, result } = await callOnce(() => place(make()))
        expect([name, part.isError, part.result]).toMatchObject([name, true, { error: { code: 'INVALID_INPUT' } }])
        expect(message).toContain(name)
        expect(message).toMatch(/value\b.*, of which JSON keeps nothing\. \S/)
        expect(told).toMatchObject([{ error: { code: 'INVALID_INPUT' }, about: { tool: 'act' } }])
        expect(result.status).toBe('completed')
      }
    }
  })

  it('also at the top level, where bytes and promises keep their meaning', async () => {
    const tops = lost.filter(([name]) => name !== 'binary data' && name !== 'a promise')
    for (const [name, make] of tops) {
      const { part, message } = await callOnce(make)
      expect([name, part.isError]).toEqual([name, true])
      if (!message.includes('Pass bytes as')) expect(message).toContain(name)
    }
    expect((await callOnce(() => ({ later: Promise.resolve(1) }))).message).toContain('a promise at /later')
  })

  it('the output of a result’s schema is checked too', async () => {
    const output = z.object({ n: z.number() }).transform(({ n }) => ({ n, made: new Map([[n, n]]) }))
    const { part, message } = await callOnce(() => ({ n: 1 }), { output } as never)
    expect([part.isError, message]).toEqual([true, expect.stringContaining('a Map at /made')])
  })

  it('values with toJSON or with fields are results as before', async () => {
    const kept: [unknown, unknown][] = [
      [
        { at: new Date(0), url: new URL('http://a.example/') },
        { at: '1970-01-01T00:00:00.000Z', url: 'http://a.example/' },
      ],
      [{ toJSON: () => ({ n: 1 }), run: () => 1 }, { n: 1 }],
      [new Point(), { x: 1 }],
      [
        { point: new Point(), nothing: undefined, list: [undefined, Number.NaN] },
        { point: { x: 1 }, list: [null, null] },
      ],
      [Object.assign(Object.create(null), { n: 1 }), { n: 1 }],
      [runInNewContext('({ a: {}, b: [{}] })'), { a: {}, b: [{}] }],
      [
        { empty: {}, none: [], name: Object('boxed'), count: Object(1) },
        { empty: {}, none: [], name: 'boxed', count: 1 },
      ],
      [null, null],
      [undefined, null],
      [false, false],
    ]
    for (const [value, expected] of kept) {
      const { part, told } = await callOnce(() => value)
      expect([part.result, part.isError, told]).toEqual([expected, undefined, []])
    }
  })

  it('caches and plans refuse the same values; references follow JSON.stringify', async () => {
    const runtime = await runtimeFor(await openFresh('memory'))
    for (const [name, make] of lost) {
      const value = () => ({ value: make() }) as never
      expect([name, await codeOf(() => runtime.cache.set('key', value()))]).toEqual([name, 'INVALID_INPUT'])
      expect(await codeOf(() => runtime.cache.getOrCompute('key', {}, () => value()))).toBe('INVALID_INPUT')
      const plan = { type: 'report', goal: 'x', steps: [], details: value() }
      expect([name, await codeOf(() => runtime.plans.save(plan))]).toEqual([name, 'INVALID_INPUT'])
    }
    expect(await runtime.cache.get('key')).toBeUndefined()
    const { id } = await runtime.references.put('note', { map: new Map([[1, 2]]) } as never)
    expect((await runtime.references.resolve(id)).json()).toEqual({ map: {} })
  })

  it('streams and promises are refused with the way to read them', () => {
    const advice: readonly [unknown, string][] = [
      [new Response('x'), 'Pass await response.json() or .text().'],
      [new Request('http://localhost'), 'Pass await request.json() or .text().'],
      [new Blob(['x']), 'Pass await blob.text()'],
      [new File(['x'], 'x'), 'Pass await blob.text()'],
      [new ReadableStream(), 'Collect it first'],
      [Readable.from(['x']), 'Collect it first'],
    ]
    for (const [value, said] of advice) expect(() => refuseLost({ value })).toThrow(said)
  })

  it('a generator yields progress, and its return value is the result', async () => {
    const asynchronous = async function* () {
      yield 'half'
      await Promise.resolve()
      yield { done: 0.9 }
      return { found: 3 }
    }
    const synchronous = function* () {
      for (let at = 0; at < 200; at += 1) yield at
      return { found: 4 }
    }
    const broken = async function* () {
      yield 1
      throw new Error('broken in the middle')
    }
    expect((await callOnce(asynchronous)).part.result).toEqual({ found: 3 })
    expect((await callOnce(synchronous)).part.result).toEqual({ found: 4 })
    expect((await callOnce(function* () {})).part.result).toBeNull()
    expect((await callOnce(broken)).message).toBe('broken in the middle')
    expect(
      (
        await callOnce(async function* () {
          yield 1
          return new Map()
        })
      ).message,
    ).toContain('a Map')
  })

  it('a generator whose call is over is ended, even one that never waits', async () => {
    let left = 0
    const endless = function* () {
      try {
        for (;;) yield 1
      } finally {
        left += 1
      }
    }
    const { part } = await callOnce(endless, { timeoutMs: 20 })
    expect(part).toMatchObject({ isError: true, result: { error: { code: 'TIMEOUT' } } })
    await expect.poll(() => left).toBe(1)
  })
})

describe('errors of a handler', () => {
  it('a long message is cut at one limit with a mark, and the host receives all of it', async () => {
    const long = new Error('too long '.repeat(1000))
    const { message, told, runId } = await callOnce(() => Promise.reject(long))
    expect(message).toHaveLength(2000)
    expect(message.endsWith('… [cut]')).toBe(true)
    expect(told).toEqual([{ error: long, about: { tenant: 'acme', runId, callId: 'call-0', tool: 'act' } }])
    expect(told[0]?.error).toBe(long)
    expect((await callOnce(() => Promise.reject(new Error('x'.repeat(2000))))).message).toBe('x'.repeat(2000))
  })

  it('any thrown value is described, with its causes', async () => {
    const loop: { message: string; cause?: unknown } = { message: 'round' }
    loop.cause = loop
    const inner = new Error('connect ECONNREFUSED', { cause: new Error('no route') })
    const thrown: [unknown, string][] = [
      ['no stock', 'no stock'],
      [42, '42'],
      [false, 'false'],
      [undefined, 'It failed without a message.'],
      [{}, 'It failed without a message.'],
      [new TypeError(), 'It failed without a message: TypeError.'],
      [Object.assign(new Error(), { code: 'ENOENT' }), 'It failed without a message: ENOENT.'],
      [
        new Error('fetch failed', { cause: inner }),
        'fetch failed\nIts cause: connect ECONNREFUSED\nIts cause: no route',
      ],
      [new Error('refused', { cause: 'a text' }), 'refused\nIts cause: a text'],
      [
        new AggregateError([new Error('first'), 'second'], 'all failed'),
        'all failed\nOne of its errors: first\nOne of its errors: second',
      ],
      [
        new AggregateError([new Error('only')]),
        'It failed without a message: AggregateError.\nOne of its errors: only',
      ],
      [loop, 'round'],
      [
        {
          get message() {
            throw new Error('hostile')
          },
        },
        'It failed without a message.',
      ],
    ]
    for (const [error, expected] of thrown) {
      const { message, told } = await callOnce(() => {
        throw error
      })
      expect(message).toBe(expected)
      expect(told.map((one) => one.error)).toEqual([error])
    }
  })

  it('secrets are removed from causes, and the model receives a bounded message', async () => {
    const agents = [
      defineSpecialist({
        name: 'one',
        model: 'test/m',
        prompt: 'x',
        tools: [defineTool({ name: 'act', description: 'x', effects: 'read', input: object })],
      }),
    ]
    const spec = defineRuntime({ tenant: acme, agents, providers: { test: { apiKeyEnv: 'KEY' } } })
    const told: unknown[] = []
    const model = script(calls(['act', {}]), says('Done.'))
    const runtime = await createRuntime(spec, {
      store: await openFresh('memory'),
      models: { test: model },
      env: { KEY: 'sk-of-the-tenant' },
      tools: {
        act: () => {
          throw new Error('outer', { cause: new Error('key sk-of-the-tenant refused') })
        },
      },
      onError: (error) => told.push(error),
    })
    await runtime.query('Go').result()
    expect(JSON.stringify(model.requests[1]?.messages)).not.toContain('sk-of-the-tenant')
    expect(JSON.stringify(model.requests[1]?.messages)).toContain('key [redacted] refused')
    expect((told[0] as Error).cause).toMatchObject({ message: 'key sk-of-the-tenant refused' })
  })
})

describe('errors that the host receives', () => {
  it('failures that reach no caller, each with its context and its stack', async () => {
    const told: [unknown, ErrorSource][] = []
    const errors = {
      model: Object.assign(new Error('slow down'), { retryable: true, retryAfterMs: 1 }),
      needsApproval: new Error('who knows'),
      approve: new Error('nobody there'),
      input: new Error('the schema broke'),
      output: new Error('the output broke'),
    }
    const throwing = (error: Error) => () => {
      throw error
    }
    const schema = (validate: () => never) =>
      ({
        '~standard': {
          version: 1,
          vendor: 'test',
          validate,
          jsonSchema: { input: () => object, output: () => object },
        },
      }) as never
    const tools = [
      defineTool({ name: 'checked', description: 'x', effects: 'read', input: schema(throwing(errors.input)) }),
      defineTool({ name: 'asked', description: 'x', effects: 'read', input: object, approval: 'dynamic' }),
      defineTool({ name: 'sent', description: 'x', effects: 'read', input: object, approval: 'always' }),
    ]
    let tries = 0
    const asking = async (tool: string, output?: never) => {
      const agent = defineSpecialist({
        name: 'one',
        model: 'test/m',
        prompt: 'x',
        tools,
        ...(output === undefined ? {} : { output }),
      })
      const runtime = await createRuntime(defineRuntime({ tenant: acme, agents: [agent] }), {
        store: await openFresh('memory'),
        models: {
          test: sayingModel(({ messages }) => {
            tries += 1
            if (tool === 'model' && tries === 1) throw errors.model
            return messages.length > 1 || tool === 'model' || tool === 'none' ? says('{}') : calls([tool, {}])
          }),
        },
        tools: { checked: () => 1, asked: () => 1, sent: () => 1 } as never,
        needsApproval: throwing(errors.needsApproval) as never,
        approve: throwing(errors.approve),
        onError: (error, about) => told.push([error, about]),
      })
      const run = runtime.query('Go')
      await run.result()
      return run.runId
    }
    const about = { tenant: 'acme', callId: 'call-0' }
    const runs = [await asking('model'), await asking('checked'), await asking('asked'), await asking('sent')]
    runs.push(await asking('none', schema(throwing(errors.output))))
    expect(told).toEqual([
      [errors.model, { tenant: 'acme', runId: runs[0] }],
      [errors.input, { ...about, runId: runs[1], tool: 'checked' }],
      [errors.needsApproval, { ...about, runId: runs[2], tool: 'asked' }],
      [errors.approve, { tenant: 'acme', runId: runs[3], tool: 'sent' }],
      [errors.output, { tenant: 'acme', runId: runs[4] }],
    ])
    expect(told.every(([error]) => (error as Error).stack?.includes('handlers.test.ts'))).toBe(true)
  })

  it('whatever onError does itself breaks nothing', async () => {
    const failing: NonNullable<RuntimeOptions['onError']>[] = [
      () => {
        throw new Error('of its own')
      },
      () => Promise.reject(new Error('later')) as never,
      () =>
        ({
          // biome-ignore lint/suspicious/noThenProperty: what an await looks up
          get then() {
            throw new Error('hostile')
          },
        }) as never,
    ]
    for (const onError of failing) {
      const { message, result } = await callOnce(() => Promise.reject(new Error('broken')), {}, { onError })
      expect([message, result.status]).toEqual(['broken', 'completed'])
    }
    const spec = specOf('acme')
    const wrong = createRuntime(spec, {
      models: { test: script() },
      tools: { look: () => 1 },
      onError: 'loud' as never,
    })
    await expect(wrong).rejects.toMatchObject({ code: 'SPEC_INVALID', issues: [{ path: 'onError' }] })
  })

  it('a call that was cancelled is no failure', async () => {
    const told: unknown[] = []
    const left = gate()
    const runtime = await createRuntime(specOf('acme'), {
      store: await openFresh('memory'),
      models: { test: script(calls(['look', {}])) },
      tools: {
        look: async (_, { signal }) => {
          const waiting = new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
          run.cancel()
          await waiting.finally(left.open)
        },
      },
      onError: (error) => told.push(error),
    })
    const run = runtime.query('Go')
    expect(await run.result()).toMatchObject({ status: 'cancelled' })
    await left.opened
    expect(told).toEqual([])
  })
})

it('a computation that asks for its own key is refused', async () => {
  const { cache } = await runtimeFor(await openFresh('memory'))
  const own = () => cache.getOrCompute('key', {}, async () => await cache.getOrCompute('key', {}, () => 1))
  expect(await codeOf(own)).toBe('INVALID_INPUT')
})

it('bytes are of the type that fetch, Blob and Web Crypto accept', async () => {
  const { references } = await runtimeFor(await openFresh('memory'))
  const { id } = await references.put('file', new Uint8Array([1, 2, 3]))
  const { bytes } = await references.resolve(id)
  expect(new Uint8Array(await new Response(bytes).arrayBuffer())).toEqual(bytes)
  expect(new Blob([bytes]).size).toBe(3)
  expect((await crypto.subtle.digest('SHA-256', bytes)).byteLength).toBe(32)
})
