import { Buffer } from 'node:buffer'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  createHost,
  createRuntime,
  defineReference,
  defineRuntime,
  openStore,
  type Run,
  type Runtime,
  setupStore,
} from '../../ts/index.ts'
import { Answer } from '../../ts/native/message.ts'
import { type FetchedEntry, SharedMemory, State } from '../../ts/native/shared-memory.ts'
import { migrate } from '../../ts/store/migrate.ts'
import type { OpenStore } from '../../ts/store/store.ts'
import { runtimeWithAgent } from '../isolation/agents.ts'
import { failureOf } from '../support/failures.ts'
import { freshFolder, noon, openFresh } from '../support/stores.ts'
import { verbsOf } from '../support/verbs.ts'
// Verbs run in spans here, as they do where the host traces.
import '../telemetry/spans.ts'
import { acme } from '../unit/support.ts'

/** What a verb is called on. */
interface Subject {
  readonly runtime: Runtime
  readonly store: OpenStore
  /** A run that fails before it has begun. */
  run(): Run<unknown>
}

type Call = (subject: Subject) => Promise<unknown>

const ref = `ref_${'a'.repeat(32)}`
const approval = `approval_${'a'.repeat(32)}`
const noRun = `run_${'a'.repeat(32)}`
const noWait = `wait_${'a'.repeat(32)}`
const checkpoint = { note: '', size: 0, rootHash: '' }
const draft = { type: 'launch', goal: 'ship', steps: [{ id: 'a', tool: 'ship', input: {} }] }
const unheard = () => new AbortController().signal

/** Every call that gives a promise, by the part of the runtime that has it, each with arguments that reach the core. */
const calls = {
  references: {
    put: ({ runtime }) => runtime.references.put('thing', 1),
    putMany: ({ runtime }) => runtime.references.putMany([{ type: 'thing', value: 1 }]),
    resolve: ({ runtime }) => runtime.references.resolve(ref),
    resolveMany: ({ runtime }) => runtime.references.resolveMany([ref]),
    describe: ({ runtime }) => runtime.references.describe(ref),
    list: ({ runtime }) => runtime.references.list(),
    delete: ({ runtime }) => runtime.references.delete(ref),
  },
  plans: {
    save: ({ runtime }) => runtime.plans.save(draft),
    load: ({ runtime }) => runtime.plans.load('plan'),
    list: ({ runtime }) => runtime.plans.list(),
    history: ({ runtime }) => runtime.plans.history('plan'),
  },
  approvals: {
    request: ({ runtime }) => runtime.approvals.request({ tool: 'ship', input: {} }),
    get: ({ runtime }) => runtime.approvals.get(approval),
    pending: ({ runtime }) => runtime.approvals.pending(),
    respond: ({ runtime }) => runtime.approvals.respond(approval, { decision: 'approve', actor: 'kim' }),
    history: ({ runtime }) => runtime.approvals.history(),
    checkpoint: ({ runtime }) => runtime.approvals.checkpoint(),
    prove: ({ runtime }) => runtime.approvals.prove(0),
    proveConsistency: ({ runtime }) => runtime.approvals.proveConsistency(checkpoint),
    verify: ({ runtime }) => runtime.approvals.verify(),
  },
  cache: {
    get: ({ runtime }) => runtime.cache.get('key'),
    set: ({ runtime }) => runtime.cache.set('key', 1),
    delete: ({ runtime }) => runtime.cache.delete('key'),
    getOrCompute: ({ runtime }) => runtime.cache.getOrCompute('key', {}, () => 1),
  },
  threads: {
    list: ({ runtime }) => runtime.threads.list(),
    messages: ({ runtime }) => runtime.threads.messages('t'),
    append: ({ runtime }) => runtime.threads.append('t', [{ role: 'user', parts: [], createdAt: 0 }]),
    fork: ({ runtime }) => runtime.threads.fork('t', { through: 'msg_' }),
    delete: ({ runtime }) => runtime.threads.delete('t'),
  },
  runs: {
    list: ({ runtime }) => runtime.runs.list(),
    get: ({ runtime }) => runtime.runs.get(noRun),
    follow: ({ runtime }) => runtime.runs.follow(noRun)[Symbol.asyncIterator]().next(),
    resume: ({ runtime }) => runtime.runs.resume(noRun).result(),
    cancel: ({ runtime }) => runtime.runs.cancel(noRun),
  },
  waits: {
    list: ({ runtime }) => runtime.waits.list(),
    get: ({ runtime }) => runtime.waits.get(noWait),
    settle: ({ runtime }) => runtime.waits.settle(noWait, { value: 1 }),
    cancel: ({ runtime }) => runtime.waits.cancel(noWait),
  },
  traces: {
    list: ({ runtime }) => runtime.traces.list(),
    follow: ({ runtime }) => runtime.traces.follow()[Symbol.asyncIterator]().next(),
  },
  runtime: {
    query: ({ runtime }) => runtime.query('x').result(),
    runSpecialist: ({ runtime }) => runtime.runSpecialist('echo' as never, 'x').result(),
    usage: ({ runtime }) => runtime.usage(),
    erase: ({ runtime }) => runtime.erase({ confirm: 'acme' }),
    // Closes the store that the runtime has opened itself.
    close: async () => await (await createRuntime(defineRuntime({ tenant: acme }), { store: 'memory:' })).close(),
    [Symbol.asyncDispose.toString()]: async () =>
      await (await createRuntime(defineRuntime({ tenant: acme }), { store: 'memory:' }))[Symbol.asyncDispose](),
  },
  run: {
    result: ({ run }) => run().result(),
    [Symbol.asyncIterator.toString()]: async ({ run }) => await run()[Symbol.asyncIterator]().next(),
  },
  store: {
    health: ({ store }) => store.health(),
    stats: ({ store }) => store.stats(),
    sweep: ({ store }) => store.sweep(),
    compact: ({ store }) => store.compact(),
    backup: ({ store }) => store.backup(join(freshFolder(), 'backup')),
    rotateRootKey: ({ store }) => store.rotateRootKey(new Uint8Array(32)),
    check: ({ store }) => store.check(),
    advance: ({ store }) => store.advance(1),
    close: ({ store }) => store.close(),
    [Symbol.asyncDispose.toString()]: ({ store }) => store[Symbol.asyncDispose](),
  },
} satisfies Record<string, Record<string, Call>>

/** What answers at once. */
const synchronous: Record<string, readonly string[]> = { run: ['cancel', 'Symbol(bailiwick.untilRest)'] }

/** Functions of the package, and ways to use a verb. */
const others: Record<string, Call> = {
  openStore: () => openStore('memory:'),
  setupStore: () => setupStore('postgres://owner@127.0.0.1:1/none'),
  createRuntime: async ({ store }) => await createRuntime(newSpec(), { store }),
  'createRuntime of a URL': async () => await createRuntime(defineRuntime({ tenant: acme }), { store: 'memory:' }),
  'createRuntime twice at once': async ({ store }) => {
    const spec = newSpec()
    return await Promise.all([createRuntime(spec, { store }), createRuntime(spec, { store })])
  },
  createHost: async () => await createHost(newSpec(), { store: 'memory:' }),
  'runtime of a host': async ({ store }) => await (await createHost(newSpec(), { store })).runtime('acme'),
  'close of a host': async () => await (await createHost(newSpec(), { store: 'memory:' })).close(),
  migrate: async () => await (await migrate('sled:./none', 'sled:./neither', {})).result,
  'migrate, so far': async () => {
    const { result, soFar } = await migrate('sled:./none', 'sled:./neither', {})
    result.catch(() => {})
    return await soFar()
  },
  'for await of a run': async ({ run }) => {
    for await (const _ of run());
  },
  'for await of runs.follow': async ({ runtime }) => {
    for await (const _ of runtime.runs.follow(noRun));
  },
  'for await of runs.follow with a signal': async ({ runtime }) => {
    for await (const _ of runtime.runs.follow(noRun, { signal: unheard() }));
  },
  'for await of traces.follow with a signal': async ({ runtime }) => {
    for await (const _ of runtime.traces.follow({ signal: unheard() }));
  },
  'Promise.all': async ({ runtime }) => await Promise.all([runtime.cache.get('a'), runtime.references.resolve(ref)]),
  'Promise.race': async ({ runtime }) => await Promise.race([runtime.cache.get('a'), new Promise(() => {})]),
  'then, catch and finally': async ({ runtime }) =>
    await runtime.cache
      .get('a')
      .then((value) => value)
      .catch((error: unknown) => {
        throw error
      })
      .finally(() => {}),
  'awaited later': async ({ runtime }) => {
    const value = runtime.cache.get('a')
    await Promise.resolve()
    return await value
  },
}

const newSpec = () =>
  defineRuntime({ tenant: acme, references: [defineReference({ name: `t${Math.random()}`.replace('.', '') })] })

const table: [name: string, call: Call][] = [
  ...Object.entries(calls).flatMap(([part, verbs]) =>
    Object.entries<Call>(verbs).map(([verb, call]): [string, Call] => [`${part}.${verb}`, call]),
  ),
  ...Object.entries(others),
]

/** From now on every answer of the core is a failure. */
function failEverything(): void {
  const fetch = SharedMemory.prototype.fetch
  vi.spyOn(SharedMemory.prototype, 'fetch').mockImplementation(function (this: SharedMemory, most) {
    const fetched = fetch.call(this, most)
    return {
      ...fetched,
      entries: fetched.entries.map((entry) => (isAnswer(entry) ? { ...entry, ...failed() } : entry)),
    }
  })
}

const isAnswer = ({ state }: FetchedEntry) => state === 0 || state === State.failed

/** Of a function of an object; the test runner leaves out that it waits. */
const stackLine = (name: string) => new RegExp(`^ {4}at (async )?(Object\\.)?${name} \\(.*stacks\\.test\\.ts:`, 'm')

function failed(): { state: number; body: Answer } {
  const text = Buffer.from(JSON.stringify({ code: 'CONFLICT', message: 'Made to fail.' }))
  return { state: State.failed, body: new Answer(text, 0, text.length) }
}

async function subject(): Promise<Subject> {
  const store = await openFresh('memory', {}, { now: noon })
  const runtime = await runtimeWithAgent(store, 'acme')
  return { store, runtime, run: () => runtime.query('x') }
}

describe('the stack of a rejection', () => {
  afterEach(() => void vi.restoreAllMocks())

  it('has a case for every verb', async () => {
    const { runtime, store } = await subject()
    const { references, plans, approvals, cache, threads, runs, waits, traces } = runtime
    const run = runtime.query('x')
    await run.result()
    const parts = { references, plans, approvals, cache, threads, runs, waits, traces, runtime, run, store }
    const getters = Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(runtime)))
      .filter(([, { get }]) => get !== undefined)
      .map(([name]) => name)
    expect(getters.filter((name) => !(name in parts))).toEqual(['spec', 'tenant'])
    for (const [part, value] of Object.entries(parts)) {
      const known = [...Object.keys(calls[part as keyof typeof calls]), ...(synchronous[part] ?? [])]
      expect([part, ...known.sort()]).toEqual([part, ...verbsOf(value)])
    }
  })

  it.each(table)('%s: names the caller', async (_, call) => {
    const given = await subject()
    failEverything()
    const { stack } = await failureOf(async function theCaller() {
      await call(given)
    })
    vi.restoreAllMocks()
    expect(stack).toMatch(/^ConflictError: Made to fail\.\n/)
    expect(stack).toMatch(stackLine('theCaller'))
  })

  it('is each caller’s own where several wait for one thing', async () => {
    const { run, runtime } = await subject()
    failEverything()
    const refused = run()
    const resumed = runtime.runs.resume(noRun)
    const askers: Record<string, () => Promise<unknown>> = {
      async asks() {
        await refused.result()
      },
      async asksToo() {
        await refused.result()
      },
      async iterates() {
        for await (const _ of refused);
      },
      async asksAfterwards() {
        await refused.result().catch(() => {})
        await refused.result()
      },
      async iteratesToo() {
        await resumed.result().catch(() => {})
        for await (const _ of resumed);
      },
    }
    const errors = await Promise.all(Object.values(askers).map(failureOf))
    vi.restoreAllMocks()
    for (const [at, name] of Object.keys(askers).entries()) {
      const others = Object.keys(askers).filter((other) => other !== name)
      expect(errors[at]?.stack).toMatch(stackLine(name))
      for (const other of others) expect(errors[at]?.stack).not.toMatch(stackLine(other))
    }
    expect(new Set(errors).size).toBe(errors.length)
  })

  it('costs no process: a result that nobody waits for is no unhandled rejection', async () => {
    const { run } = await subject()
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    failEverything()
    const refused = run()
    const left = refused.result()
    await refused.result().catch(() => {})
    vi.restoreAllMocks()
    await new Promise(setImmediate)
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
    await expect(left).rejects.toThrow('Made to fail.')
  })
})
