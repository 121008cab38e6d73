import { trace } from '@opentelemetry/api'
import { beforeEach, describe, expect, test } from 'vitest'
import { VERSION } from '../../ts/common/version.ts'
import {
  createRuntime,
  defineExecutor,
  defineRuntime,
  defineTenant,
  defineTool,
  type Runtime,
  type RuntimeSpec,
  type TelemetryOptions,
} from '../../ts/index.ts'
import { engines, openFresh } from '../support/stores.ts'
import { everythingIn, hostTracer, takeRawSpans, takeSpans } from './spans.ts'

const plan = { type: 'launch', goal: 'ship it, canary', steps: [{ id: 'a', tool: 'ship', input: {} }] }

beforeEach(() => void takeSpans())

async function runtimeWith(
  telemetry?: TelemetryOptions,
  engine: (typeof engines)[number] = 'memory',
): Promise<Runtime> {
  const spec = defineRuntime({ tenant: defineTenant('tenant-canary', 'version-canary') })
  return await createRuntime(spec, {
    store: await openFresh(engine),
    ...(telemetry !== undefined && { telemetry }),
  })
}

/** Calls every verb that is traced once, and returns the ids that came of it. */
async function useEverything({ references, plans, approvals, threads, cache }: Runtime): Promise<string[]> {
  const { id } = await references.put('note', { text: 'content-canary' })
  await references.putMany([{ type: 'note', value: 'content-canary' }])
  await references.delete(id)
  const { planId } = await plans.save(plan)
  const { approvalId } = await approvals.request({ planId }, { requestedBy: 'asker-canary' })
  await approvals.respond(approvalId, { decision: 'approve', actor: 'actor-canary', reason: 'reason-canary' })
  const message = { role: 'user' as const, createdAt: 1, parts: [{ type: 'text' as const, text: 'content-canary' }] }
  const [appended] = await threads.append('thread-canary', [message])
  const { threadId } = await threads.fork('thread-canary', { through: appended?.messageId ?? '' })
  await threads.delete(threadId)
  await cache.getOrCompute('key-canary', {}, () => 'content-canary')
  return [id, planId, approvalId, threadId]
}

describe.each(engines)('on %s', (engine) => {
  test('each change and decision has a span, without the tenant or content', async () => {
    const ids = await useEverything(await runtimeWith(undefined, engine))
    const spans = takeRawSpans()
    expect(spans.map(({ name }) => name)).toEqual([
      'bailiwick.references.put',
      'bailiwick.references.putMany',
      'bailiwick.references.delete',
      'bailiwick.plans.save',
      'bailiwick.approvals.request',
      'bailiwick.approvals.respond',
      'bailiwick.threads.append',
      'bailiwick.threads.fork',
      'bailiwick.threads.delete',
      'bailiwick.cache.compute',
    ])
    expect(spans.map(({ attributes }) => attributes)).toEqual(spans.map(() => ({})))
    const told = everythingIn(spans)
    expect(told).toContain('bailiwick.plans.save')
    for (const secret of ['canary', ...ids]) expect(told).not.toContain(secret)
    expect(spans[0]?.instrumentationScope).toMatchObject({ name: 'bailiwick', version: VERSION })
  })
})

test('an erase has a span without the tenant', async () => {
  const runtime = await runtimeWith()
  await runtime.references.put('note', 'text')
  takeSpans()
  await expect(runtime.erase({ confirm: 'another' })).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  await runtime.erase({ confirm: 'tenant-canary' })
  const spans = takeRawSpans()
  expect(spans.map(({ name, status }) => [name, status.message])).toEqual([
    ['bailiwick.runtime.erase', 'INVALID_INPUT'],
    ['bailiwick.runtime.erase', undefined],
  ])
  expect(everythingIn(spans)).not.toContain('canary')
})

test('reading has no spans', async () => {
  const runtime = await runtimeWith()
  const { id } = await runtime.references.put('note', 'text')
  await runtime.cache.getOrCompute('key', {}, () => 1)
  takeSpans()
  await runtime.references.resolve(id)
  await runtime.references.list()
  await runtime.cache.getOrCompute('key', {}, () => 2)
  await runtime.usage()
  expect(takeSpans()).toEqual([])
})

test("a span lies below the host's, and work of a computation below the computation", async () => {
  const runtime = await runtimeWith()
  await hostTracer.startActiveSpan('request', async (request) => {
    await runtime.cache.getOrCompute('key', {}, async () => {
      await runtime.references.put('note', 'text')
      hostTracer.startSpan('of the host').end()
      return 1
    })
    expect(trace.getActiveSpan()).toBe(request)
    await runtime.references.put('note', 'more')
    request.end()
  })
  expect(takeSpans().map(({ name, parent }) => [name, parent])).toEqual([
    ['bailiwick.references.put', 'bailiwick.cache.compute'],
    ['of the host', 'bailiwick.cache.compute'],
    ['bailiwick.cache.compute', 'request'],
    ['bailiwick.references.put', 'request'],
    ['request', undefined],
  ])
})

test('calls that run at once lie each below their own', async () => {
  const runtime = await runtimeWith()
  const requests = Array.from({ length: 20 }, (_, index) =>
    hostTracer.startActiveSpan(`request ${index}`, async (request) => {
      await runtime.references.put('note', `text ${index}`)
      await runtime.references.put('note', `text ${index}, again`)
      request.end()
    }),
  )
  await Promise.all(requests)
  const below = takeSpans().filter(({ name }) => name === 'bailiwick.references.put')
  const expected = Array.from({ length: 20 }, (_, index) => [`request ${index}`, `request ${index}`]).flat()
  expect(below.map(({ parent }) => parent).sort()).toEqual(expected.sort())
})

describe('failures', () => {
  test('an error of ours is known by its code, and thrown as it is', async () => {
    const runtime = await runtimeWith()
    await expect(runtime.references.put('not a name', 'x')).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    await expect(runtime.plans.save(plan, { expectedVersion: 7 })).rejects.toMatchObject({ code: 'CONFLICT' })
    await expect(runtime.approvals.respond('approval_x', { decision: 'approve', actor: 'kim' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
    await runtime.close()
    await expect(runtime.references.put('note', 'x')).rejects.toMatchObject({ code: 'CLOSED' })
    expect(takeSpans()).toEqual(
      [
        ['references.put', 'INVALID_INPUT'],
        ['plans.save', 'CONFLICT'],
        ['approvals.respond', 'NOT_FOUND'],
        ['references.put', 'CLOSED'],
      ].map(([name, code]) => ({
        name: `bailiwick.${name}`,
        attributes: { 'error.type': code },
        parent: undefined,
        error: code,
      })),
    )
  })

  test("of the host's own error nothing is kept", async () => {
    const runtime = await runtimeWith()
    const error = Object.assign(new TypeError('content-canary'), { code: 'CODE_CANARY', name: 'NameCanary' })
    await expect(runtime.cache.getOrCompute('key', {}, () => Promise.reject(error))).rejects.toBe(error)
    const spans = takeRawSpans()
    expect(spans.map(({ attributes }) => attributes)).toEqual([{ 'error.type': '_OTHER' }])
    expect(everythingIn(spans)).not.toMatch(/canary/i)
  })

  test('a value that is not a function is refused as before', async () => {
    const runtime = await runtimeWith()
    await expect(runtime.cache.getOrCompute('key', {}, 'x' as never)).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    expect(takeSpans()).toEqual([])
  })
})

describe("the host's attributes", () => {
  test('are on every span, and may name the tenant', async () => {
    const attributes = { 'customer.id': 'tenant-canary', shards: [1, 2], absent: undefined }
    await useEverything(await runtimeWith({ attributes }))
    const spans = takeSpans()
    expect(spans).toHaveLength(10)
    for (const span of spans) expect(span.attributes).toEqual({ 'customer.id': 'tenant-canary', shards: [1, 2] })
  })

  test('as a function they are asked for at each span', async () => {
    let count = 0
    const runtime = await runtimeWith({ attributes: () => ({ count: ++count }) })
    await runtime.references.put('note', 'x')
    await runtime.references.put('note', 'y')
    expect(takeSpans().map(({ attributes }) => attributes)).toEqual([{ count: 1 }, { count: 2 }])
  })

  test('a record is copied, and a function that fails costs attributes alone', async () => {
    const attributes: Record<string, string> = { region: 'north' }
    const runtime = await runtimeWith({ attributes })
    attributes['region'] = 'south'
    await runtime.references.put('note', 'x')
    for (const wrong of [
      () => {
        throw new Error('no')
      },
      () => null,
      () => 7,
      () => ['a'],
    ]) {
      const { references } = await runtimeWith({ attributes: wrong as never })
      await references.put('note', 'x')
    }
    expect(takeSpans().map((span) => span.attributes)).toEqual([{ region: 'north' }, {}, {}, {}, {}])
  })

  test.each([
    [null],
    [7],
    [{ attributes: 'x' }],
    [{ attributes: [] }],
    [{ attributes: null }],
    [{ recordContent: 'yes' }],
  ])('%j is refused', async (telemetry) => {
    await expect(runtimeWith(telemetry as never)).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  })

  test('wrong options are reported before a missing handler, and a closed store before both', async () => {
    const tool = defineTool({ name: 'ship', description: 'Ships', input: { type: 'object' } })
    const agents = [defineExecutor({ name: 'executor', tools: [tool] })]
    const spec: RuntimeSpec = defineRuntime({ tenant: defineTenant('acme', 'v1'), agents })
    const store = await openFresh('memory')
    const telemetry = { recordContent: 1 } as never
    await expect(createRuntime(spec, { store, telemetry })).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    await expect(createRuntime(spec, { store })).rejects.toMatchObject({ code: 'SPEC_INVALID' })
    await store.close()
    await expect(createRuntime(spec, { store, telemetry })).rejects.toMatchObject({ code: 'CLOSED' })
  })
})
