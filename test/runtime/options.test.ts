import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  fromUIMessages,
  resumeUIMessageStream,
  toUIMessageStream,
  toUIMessages,
  type UIMessageStreamOptions,
} from '../../ts/ai-sdk/index.ts'
import {
  createHost,
  createRuntime,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  type HostOptions,
  InvalidInputError,
  openStore,
  type QueryRequest,
  type Runtime,
  type RuntimeOptions,
  type StoreOptions,
  type TelemetryOptions,
  type ToolContext,
  withTenant,
} from '../../ts/index.ts'
import { type IsolationOptions, isolationSuite, runIsolation } from '../../ts/isolation/index.ts'
import { type McpToolsOptions, mcpTools } from '../../ts/mcp/index.ts'
import { noopModel, testStore, testToolContext } from '../../ts/testing/index.ts'
import { verbsOf } from '../support/verbs.ts'

/** A call with options: all names that it knows, each with a value of a wrong type, or `fine` where the type is not checked here. */
interface Case {
  readonly call: (options: never) => unknown
  readonly options: { readonly [name: string]: unknown }
  /** What the call cannot do without. */
  readonly needed?: object
}

const fine = Symbol('not checked by its type')
const parts = ['references', 'plans', 'approvals', 'cache', 'threads', 'traces', 'runs', 'waits'] as const
const models = { scripted: noopModel() }
const agent = defineSpecialist({ name: 'clerk', model: 'scripted/any', prompt: 'Answer.' })
const spec = defineRuntime({ tenant: defineTenant('acme', 'v1'), agents: [agent] })

let runtime: Runtime<typeof spec>
beforeAll(async () => {
  runtime = await createRuntime(spec, { store: 'memory:', models })
})
afterAll(() => runtime.close())

const page = { limit: '5', cursor: 5 }
const request: { [K in keyof Required<QueryRequest>]: unknown } = {
  prompt: 5,
  threadId: 5,
  tenant: 5,
  actor: 5,
  signal: 5,
  limits: 5,
  requestKey: 5,
  whenBusy: 5,
  startAt: '5',
  instructions: fine,
}
const runtimeOptions: { [K in keyof Required<RuntimeOptions>]: unknown } = {
  store: 5,
  tools: 5,
  models: 5,
  schemas: 5,
  needsApproval: fine,
  approve: fine,
  around: 5,
  onError: fine,
  env: 5,
  telemetry: 5,
}
const ownHostOptions = {
  specFor: 5,
  maxOpen: '5',
  concurrency: '5',
  concurrencyPerTenant: '5',
  onChanged: 'drop',
  onError: 5,
  onEvent: 5,
}
const hostOptions: { [K in keyof Required<HostOptions>]: unknown } = { ...runtimeOptions, ...ownHostOptions }
const storeOptions: { [K in keyof Required<StoreOptions>]: unknown } = {
  rootKey: 5,
  rootKeyEnv: 5,
  cacheBytes: '5',
  connections: '5',
  openedCacheBytes: '5',
}
const isolationOptions: { [K in keyof Required<IsolationOptions>]: unknown } = {
  url: fine,
  store: fine,
  createRuntime: 5,
  advance: 5,
  expiryMs: '5',
  emptyStore: 5,
  rootKey: fine,
  rootKeyEnv: fine,
}
const mcpOptions: { [K in keyof Required<McpToolsOptions>]: unknown } = {
  prefix: 5,
  approval: fine,
  timeoutMs: fine,
  rename: 5,
  skip: 5,
  toolsChanged: 5,
}
const telemetry: { [K in keyof Required<TelemetryOptions>]: unknown } = { attributes: 5, recordContent: 5 }
const streamOptions: { [K in keyof Required<UIMessageStreamOptions>]: unknown } = {
  onError: 5,
  sendReasoning: 5,
  sendSources: 5,
  after: '5',
  discard: 'drop',
  approvals: 'all',
}

const toolContext: { [K in keyof Required<ToolContext>]: unknown } = {
  tenant: fine,
  runId: fine,
  threadId: fine,
  callId: fine,
  actor: fine,
  references: fine,
  cache: fine,
  dataEnvironment: fine,
  signal: fine,
  idempotencyKey: fine,
  resumed: fine,
  progress: fine,
}

const mcpClient = { listTools: async () => ({ tools: [] }), callTool: async () => ({}) }
const { onError, sendReasoning, sendSources } = streamOptions

/** Every verb of a runtime's parts that takes options, by `part.verb`. */
const verbs: { readonly [verb: string]: Case } = {
  'references.put': {
    call: (options) => runtime.references.put('note', 1, options),
    options: { ttlMs: '5', mediaType: 5 },
  },
  'references.putMany': {
    call: (item) => runtime.references.putMany([item]),
    options: { type: 5, value: fine, ttlMs: '5', mediaType: 5 },
    needed: { type: 'note', value: 1 },
  },
  'references.list': { call: (options) => runtime.references.list(options), options: { type: 5, ...page } },
  'plans.save': {
    call: (options) => runtime.plans.save({ type: 'any', goal: 'x', steps: [] }, options),
    options: { expectedVersion: '5' },
  },
  'plans.load': { call: (options) => runtime.plans.load('none', options), options: { version: '5' } },
  'plans.list': { call: (options) => runtime.plans.list(options), options: page },
  'approvals.request': {
    call: (options) => runtime.approvals.request({ tool: 'x', input: {} }, options),
    options: { requestedBy: 5, ttlMs: '5', rule: 5 },
  },
  'approvals.respond': {
    call: (response) => runtime.approvals.respond('none', response),
    options: { decision: 5, actor: 5, reason: 5, input: fine },
    needed: { decision: 'approve', actor: 'kim' },
  },
  'approvals.pending': { call: (options) => runtime.approvals.pending(options), options: page },
  'approvals.history': { call: (options) => runtime.approvals.history(options), options: page },
  'approvals.verify': { call: (options) => runtime.approvals.verify(options), options: { against: fine } },
  'cache.set': { call: (options) => runtime.cache.set('key', 1, options), options: { ttlMs: '5' } },
  'cache.getOrCompute': {
    call: (options) => runtime.cache.getOrCompute('key', options, () => 1),
    options: { ttlMs: '5' },
  },
  'threads.list': { call: (options) => runtime.threads.list(options), options: { actor: 5, ...page } },
  'threads.messages': { call: (options) => runtime.threads.messages('none', options), options: page },
  'threads.append': {
    call: (options) => runtime.threads.append('none', [], options),
    options: { expectedLength: '5' },
  },
  'threads.fork': {
    call: (options) => runtime.threads.fork('none', options),
    options: { through: fine, threadId: 5 },
    needed: { through: 'x' },
  },
  'traces.list': { call: (options) => runtime.traces.list(options), options: { runId: 5, ...page } },
  'traces.follow': { call: (options) => runtime.traces.follow(options), options: { signal: 5 } },
  'runs.list': {
    call: (options) => runtime.runs.list(options),
    options: { status: 5, threadId: 5, actor: 5, ...page },
  },
  'waits.list': {
    call: (options) => runtime.waits.list(options),
    options: { runId: 5, kind: 5, ...page },
  },
  'waits.settle': {
    call: (options) => runtime.waits.settle('none', { value: 1 }, options),
    options: { actor: 5 },
  },
  'runs.resume': {
    call: (options) => runtime.runs.resume(`run_${'a'.repeat(32)}`, options).result(),
    options: { onChanged: 'drop' },
  },
  'runs.follow': { call: (options) => runtime.runs.follow('none', options), options: { after: '5', signal: 5 } },
}

/** The verbs that take none. */
const plain = [
  ...['resolve', 'resolveMany', 'describe', 'delete'].map((verb) => `references.${verb}`),
  'plans.history',
  ...['get', 'checkpoint', 'prove', 'proveConsistency'].map((verb) => `approvals.${verb}`),
  ...['get', 'delete'].map((verb) => `cache.${verb}`),
  'threads.delete',
  ...['get', 'cancel'].map((verb) => `runs.${verb}`),
  ...['get', 'cancel'].map((verb) => `waits.${verb}`),
]

const functions: { readonly [name: string]: Case } = {
  query: { call: (asked) => runtime.query(asked).result(), options: request, needed: { prompt: 'x' } },
  runSpecialist: {
    call: (asked) => runtime.runSpecialist('clerk', asked).result(),
    options: request,
    needed: { prompt: 'x' },
  },
  'limits of a query': {
    call: (limits) => runtime.query({ prompt: 'x', limits }).result(),
    options: { maxSteps: '5', maxToolCalls: '5', maxTokens: '5', maxDurationMs: '5' },
  },
  erase: { call: (options) => runtime.erase(options), options: { confirm: 5 } },
  createRuntime: {
    call: (options) => createRuntime(spec, options),
    options: runtimeOptions,
    needed: { models, store: 'memory:' },
  },
  createHost: {
    call: (options) => createHost(spec, options),
    options: hostOptions,
    needed: { models, store: 'memory:' },
  },
  'drain of a host': {
    call: async (options) => await (await createHost(spec, { models, store: 'memory:' })).drain(options),
    options: { deadlineMs: '5' },
  },
  'inspector of a host': {
    call: async (options) => (await createHost(spec, { models, store: 'memory:' })).inspector(options),
    options: { tenant: 5, actor: 5, basePath: 5 },
    needed: { tenant: () => 'acme' },
  },
  'telemetry of createRuntime': {
    call: (told) => createRuntime(spec, { models, store: 'memory:', telemetry: told }),
    options: telemetry,
  },
  'around of createRuntime': {
    call: (around) => createRuntime(spec, { models, store: 'memory:', around }),
    options: { model: 5, tool: 5 },
  },
  openStore: { call: (options) => openStore('memory:', options), options: storeOptions },
  withTenant: {
    call: (options) => withTenant(spec, defineTenant('globex', 'v1'), options),
    options: { limits: fine, retention: fine },
  },
  testStore: { call: (options) => testStore(options), options: { seed: '5', now: '5' } },
  testToolContext: {
    call: (options) => testToolContext(options),
    options: toolContext,
  },
  isolationSuite: { call: (options) => isolationSuite(options), options: isolationOptions, needed: { url: 'memory:' } },
  runIsolation: { call: (options) => runIsolation(options), options: isolationOptions, needed: { url: 'memory:' } },
  mcpTools: { call: (options) => mcpTools(mcpClient as never, options), options: mcpOptions },
  toUIMessageStream: {
    call: (options) => toUIMessageStream((async function* () {})(), options),
    options: streamOptions,
  },
  fromUIMessages: {
    call: (options) => fromUIMessages([{ id: 'm', role: 'user', parts: [] }], options),
    options: { references: 5, referenceOf: 5 },
    needed: { references: { putMany: async () => [] } },
  },
  resumeUIMessageStream: {
    call: (options) => resumeUIMessageStream(runtime, options),
    options: { threadId: 5, runId: 5, ...streamOptions },
    needed: { threadId: 'none' },
  },
  toUIMessages: {
    call: (options) => toUIMessages([], options),
    options: { fileUrl: 5, onError, sendReasoning, sendSources, approvals: 5, waits: 5 },
  },
}

async function messageOf(call: () => unknown): Promise<string> {
  try {
    await call()
  } catch (error) {
    if (InvalidInputError.isInstance(error)) return (error as Error).message
    throw error
  }
  return 'It was taken.'
}

describe('options of every call', () => {
  test('no verb of a runtime is left out', () => {
    const all = parts.flatMap((part) => verbsOf(runtime[part]).map((verb) => `${part}.${verb}`))
    expect([...Object.keys(verbs), ...plain].sort()).toEqual(all.sort())
  })

  test.each(Object.entries({ ...verbs, ...functions }))('%s refuses what it does not know', async (_, tried) => {
    const { call, options, needed = {} } = tried
    const known = Object.keys(options)
    for (const name of known) {
      const upper = name.toUpperCase()
      for (const wrong of [upper, `${name}x`, name.slice(0, -1)].filter((word) => word !== name)) {
        const message = await messageOf(() => call({ ...needed, [wrong]: undefined } as never))
        expect(message).toContain(`there is no option "${wrong}". Did you mean "`)
        expect(message).toContain(`Known: ${known.join(', ')}.`)
      }
      expect(await messageOf(() => call({ ...needed, [upper]: 1 } as never))).toContain(`Did you mean "${name}"?`)
    }
    for (const stranger of ['qqqqqqqqqqqqqqq', '__proto__', 'constructor', 'toString']) {
      const given = JSON.parse(JSON.stringify(needed)) as object
      Object.defineProperty(given, stranger, { value: 1, enumerable: true })
      expect(await messageOf(() => call({ ...given } as never))).toMatch('there is no option')
    }
  })

  test.each(Object.entries({ ...verbs, ...functions }))('%s names an option of a wrong type', async (_, tried) => {
    const { call, options, needed = {} } = tried
    for (const [name, wrong] of Object.entries(options)) {
      if (wrong === fine) continue
      const message = await messageOf(() => call({ ...needed, [name]: wrong } as never))
      expect([name, message]).toEqual([name, expect.stringContaining(name)])
      expect(message).not.toBe('It was taken.')
    }
  })

  test('what is inherited counts, and is not taken for an option of its own', async () => {
    const shared = Object.create({ ttlMs: 1, other: 2 }) as { ttlMs?: number }
    await expect(runtime.references.put('note', 'inherited', shared)).resolves.toMatchObject({
      expiresAt: expect.any(Number),
    })
  })
})
