import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { describe, expect, it } from 'vitest'
import {
  createRuntime,
  defineCoordinator,
  defineExecutor,
  defineRuntime,
  defineSpecialist,
  defineTool,
  type Model,
  parseRuntimeSpec,
  SpecError,
  withTenant,
} from '../../ts/index.ts'
import { codeOf, failureOf } from '../support/failures.ts'
import { engines, noon, openFresh, runtimeFor } from '../support/stores.ts'
import { acme, globex, team } from '../unit/support.ts'

const model: Model = {
  async *stream() {
    yield { type: 'finish', reason: 'stop', usage: {} }
  },
}

describe.each(engines)('requests on %s', (engine) => {
  it('query on a runtime without agents is a SpecError with the reason', async () => {
    const runtime = await runtimeFor(await openFresh(engine))
    const run = runtime.query('Who asks?')
    const failure = await failureOf(() => run.result())
    if (!SpecError.isInstance(failure)) throw failure
    expect(failure.issues).toEqual([{ path: 'agents', message: expect.stringMatching(/no agents.*defineRuntime/) }])
    await expect(run[Symbol.asyncIterator]().next()).rejects.toBe(failure)
    run.cancel()
  })

  it('a request of another tenant is refused without I/O and without its name', async () => {
    // Time stands still, so that the trace of the refusal is not written meanwhile.
    const store = await openFresh(engine, {}, { now: noon })
    const runtime = await runtimeFor(store)
    const before = [await store.stats(), await runtime.usage()]
    for (const tenant of [
      'globex',
      'ACME',
      'acme ',
      '',
      '__proto__',
      globex,
      { resourceId: 'globex', version: 'v1' },
    ]) {
      const failure = await failureOf(() => runtime.query({ prompt: 'x', tenant }).result())
      expect(failure.code).toBe('TENANT_MISMATCH')
      expect(failure.message).not.toMatch(/globex|ACME|proto/)
    }
    expect([await store.stats(), await runtime.usage()]).toEqual(before)
    // The own one, in either form and in any version, is no reason to refuse.
    for (const tenant of ['acme', acme, { resourceId: 'acme', version: 'v9' }]) {
      expect(await codeOf(() => runtime.query({ prompt: 'x', tenant }).result())).toBe('SPEC_INVALID')
    }
  })

  it('query never throws at once and nothing of it ends unhandled', async () => {
    const runtime = await runtimeFor(await openFresh(engine))
    const hostile = new Proxy(
      {},
      {
        get() {
          throw new RangeError('of the caller')
        },
      },
    )
    const requests = [
      undefined,
      null,
      5,
      [],
      {},
      { prompt: 5 },
      { prompt: 'x', tenant: 5 },
      { prompt: 'x', tenant: null },
      { prompt: 'x', tenant: {} },
      hostile,
    ]
    for (const request of requests) {
      const run = runtime.query(request as never)
      expect(await codeOf(() => run.result())).toBe('INVALID_INPUT')
    }
  })
})

describe('createRuntime', () => {
  const tools = ['constructor', 'toString', 'search'].map((name) =>
    defineTool({ name, description: 'x', input: { type: 'object' } }),
  )
  const spec = defineRuntime({
    tenant: acme,
    agents: [
      defineSpecialist({ name: 'one', model: ['alpha/big', 'beta/small'], prompt: 'x', tools }),
      defineCoordinator({ name: 'two', model: 'beta/other', prompt: 'x', routes: ['one'] }),
      defineExecutor({ name: 'three', tools: ['search'] }),
    ],
  })

  it('names every missing handler and model at once', async () => {
    const failure = await failureOf(() => createRuntime(spec, { store: 'memory:' } as never))
    if (!SpecError.isInstance(failure)) throw failure
    expect(failure.issues.map(({ path }) => path).sort()).toEqual(
      ['models.alpha', 'models.beta', 'tools.constructor', 'tools.search', 'tools.toString'].sort(),
    )
    const partly = await failureOf(() =>
      createRuntime(spec, {
        store: 'memory:',
        models: { alpha: model } as never,
        tools: { search: () => 1, constructor: 5 } as never,
      }),
    )
    if (!SpecError.isInstance(partly)) throw partly
    expect(partly.issues.map(({ path }) => path).sort()).toEqual(['models.beta', 'tools.constructor', 'tools.toString'])
    const handlers = Object.fromEntries(tools.map(({ name }) => [name, () => 1]))
    const options = { store: 'memory:', models: { alpha: model, beta: () => model }, tools: handlers as never }
    await (await createRuntime(spec, options)).close()
  })

  it('a provider or a model of the AI SDK is refused with the advice to use fromAiSdk', async () => {
    const provider = createOpenAICompatible({ name: 'x', baseURL: 'http://127.0.0.1:1', apiKey: 'none' })
    const search = { search: () => 1, constructor: () => 1, toString: () => 1 }
    for (const alpha of [provider, provider.languageModel('x'), { languageModel: () => {} }, { doStream: () => {} }]) {
      const options = { store: 'memory:', models: { alpha, beta: model }, tools: search }
      const failure = await failureOf(() => createRuntime(spec, options as never))
      if (!SpecError.isInstance(failure)) throw failure
      expect(failure.issues).toEqual([{ path: 'models.alpha', message: expect.stringContaining('fromAiSdk') }])
    }
    const agent = defineSpecialist({ name: 'one', model: 'alpha/big', prompt: 'x' })
    const single = defineRuntime({ tenant: acme, agents: [agent] })
    for (const [made, words] of [
      [provider, 'fromAiSdk'],
      [provider.languageModel('x'), 'fromAiSdk'],
      [{}, 'no stream function'],
      [undefined, 'no stream function'],
      [() => model, 'no stream function'],
    ] as const) {
      const options = { store: 'memory:', models: { alpha: () => made } }
      await using runtime = await createRuntime(single, options as never)
      const result = await runtime.query('hello').result()
      expect(result).toMatchObject({ status: 'failed', error: { message: expect.stringContaining(words) } })
    }
  })

  it('a handler or a model under a misspelt name is reported', async () => {
    const handlers = { serch: () => 1, constructor: () => 1, toString: () => 1 }
    const options = { store: 'memory:', models: { alhpa: model, beta: model }, tools: handlers }
    const failure = await failureOf(() => createRuntime(spec, options as never))
    if (!SpecError.isInstance(failure)) throw failure
    expect(failure.issues).toEqual([
      { path: 'tools.search', message: expect.stringContaining('There is one for serch, which') },
      { path: 'models.alpha', message: expect.stringContaining('There is one for alhpa, which') },
    ])
  })

  it('a value that is not a handler or model is described', async () => {
    const handlers = { constructor: () => 1, toString: () => 1 }
    for (const wrong of ['openai/gpt', {}, 1, null, { stream: true }]) {
      const options = { store: 'memory:', models: { alpha: wrong, beta: model }, tools: { ...handlers, search: wrong } }
      const failure = await failureOf(() => createRuntime(spec, options as never))
      if (!SpecError.isInstance(failure)) throw failure
      expect(failure.issues).toEqual([
        { path: 'tools.search', message: expect.stringContaining('is no function') },
        { path: 'models.alpha', message: expect.stringContaining('is no model: it has no stream function') },
      ])
    }
  })

  it('accepts only specs made by defineRuntime, withTenant or parseRuntimeSpec', async () => {
    const plain = defineRuntime({ tenant: acme })
    for (const made of [plain, withTenant(plain, globex), parseRuntimeSpec(JSON.stringify(plain))]) {
      const runtime = await createRuntime(made, { store: 'memory:' })
      expect([runtime.spec, runtime.tenant]).toEqual([made, made.tenant])
      await runtime.close()
    }
    for (const wrong of [undefined, null, 5, 'spec', {}, { ...plain }, plain.toJSON(), acme]) {
      expect(await codeOf(() => createRuntime(wrong as never, { store: 'memory:' }))).toBe('INVALID_INPUT')
    }
    for (const wrong of [null, 5, 'memory:']) {
      expect(await codeOf(() => createRuntime(plain, wrong as never))).toBe('INVALID_INPUT')
    }
    for (const store of [5, {}, { url: 'memory:' }]) {
      expect(await codeOf(() => createRuntime(plain, { store: store as never }))).toBe('INVALID_INPUT')
    }
  })

  it('one topology serves many tenants, each with its own limits', async () => {
    const store = await openFresh('memory')
    const shared = defineRuntime({ tenant: acme, limits: { valueBytes: 100, items: { references: 2 } } })
    const [one, two] = await Promise.all([
      createRuntime(shared, { store }),
      createRuntime(withTenant(shared, globex, { limits: { valueBytes: 10 } }), { store }),
    ])
    await one.references.put('thing', 'x'.repeat(100))
    expect(await failureOf(() => two.references.put('thing', 'x'.repeat(11)))).toMatchObject({
      code: 'QUOTA_EXCEEDED',
      quota: 'valueBytes',
      limit: 10,
      used: 11,
    })
    await one.references.put('thing', 2)
    expect(await failureOf(() => one.references.put('thing', 3))).toMatchObject({
      code: 'QUOTA_EXCEEDED',
      quota: 'items.references',
      limit: 2,
    })
    expect((await one.usage()).limits).toMatchObject({ valueBytes: 100, inFlightBytes: 256 << 20 })
    expect((await two.usage()).storage.references).toEqual({ items: 0, bytes: 0 })
  })
})

describe('parseRuntimeSpec', () => {
  const spec = defineRuntime({
    tenant: acme,
    agents: team().agents,
    limits: { bytes: 5 },
    retention: { cache: { ttlMs: null } },
  })
  const text = JSON.stringify(spec)

  it('is the exact inverse of JSON.stringify, byte for byte, from text and from bytes', () => {
    for (const source of [text, Buffer.from(text), new TextEncoder().encode(text)]) {
      const parsed = parseRuntimeSpec(source)
      expect(JSON.stringify(parsed)).toBe(text)
      expect(parsed.agents.map(({ name }) => name)).toEqual(spec.agents.map(({ name }) => name))
    }
  })

  it('refuses hostile texts with a SpecError', () => {
    const texts: unknown[] = [
      '',
      '{',
      `${text}x`,
      `\ufeff${text}`,
      '[]',
      'null',
      text.replace('"acme"', '"\\ud800"'),
      text.replace('"acme"', '"\ud800"'),
      text.replace('"acme"', '"a\u0000"'),
      text.replace('"resourceId":"acme"', '"resourceId":"acme","resourceId":"globex"'),
      text.replace('"limits":{', '"limits":{"__proto__":{},'),
      text.replace('"limits":{', '"limits":{"unknown":1,'),
      text.replace('"bailiwick":1', '"bailiwick":2'),
      text.replace('"bytes":5', '"bytes":1e400'),
      text.replace('"bytes":5', '"bytes":05'),
      text.replace('"bytes":5', '"bytes":NaN'),
      '['.repeat(100_000),
      Buffer.from([0xff, 0xfe]),
      Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.from([0xc0, 0x80])]),
      undefined,
      null,
      5,
      JSON.parse(text),
    ]
    for (const source of texts) expect(() => parseRuntimeSpec(source as string)).toThrow(SpecError)
  })
})
