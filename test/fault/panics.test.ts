import { existsSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { describe, expect, it } from 'vitest'
import { faultsAddonPath } from '../../scripts/lib/platform.mjs'
import { inRoot } from '../../scripts/lib/root.mjs'
import {
  createRuntime,
  defineReference,
  defineRuntime,
  InvalidInputError,
  openStore,
  parseRuntimeSpec,
  type Runtime,
  setupStore,
} from '../../ts/index.ts'
import { Bridge, bridge } from '../../ts/native/bridge.ts'
import { loadAddon } from '../../ts/native/loader.ts'
import { Operation } from '../../ts/native/operations.ts'
import type { Callbacks } from '../../ts/runs/host/host-parts.ts'
import { nothing, Session } from '../../ts/session/session.ts'
import { migrate } from '../../ts/store/migrate.ts'
import { OpenStore } from '../../ts/store/store.ts'
import { handleText, readSpec, registered } from '../../ts/tenant/create-runtime.ts'
import { runtimeWithAgent } from '../isolation/agents.ts'
import { freshDatabase } from '../support/databases.ts'
import { codeOf } from '../support/failures.ts'
import { freshFolder, noon, openFresh, runtimeFor } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
// Runs have spans here, as they do where the host traces.
import '../telemetry/spans.ts'

const faultsAddon = inRoot(faultsAddonPath)
if (!existsSync(faultsAddon)) throw new Error(`There is no ${faultsAddon}. Run npm test, which builds it.`)
process.env['BAILIWICK_NATIVE_PATH'] = faultsAddon
// What is injected is no news.
process.env['RUST_BACKTRACE'] = '0'
const addon = loadAddon()
const armPanic = addon.armPanic as (name: string) => void

/** What a call meets when the thing behind it panics. */
type Case = (runtime: Runtime, arm: () => void) => Promise<unknown>

const spec = () =>
  defineRuntime({ tenant: acme, references: [defineReference({ name: `type${Math.random()}`.replace('.', '') })] })

const question = { tool: 'ship', input: {} }
const checkpoint = { note: '', size: 0, rootHash: '' }
const draft = { type: 'launch', goal: 'ship', steps: [{ id: 'a', tool: 'ship', input: {} }] }

/** Arms, then calls. */
function once(call: (runtime: Runtime) => unknown): Case {
  return async (runtime, arm) => {
    arm()
    return await call(runtime)
  }
}

const noRun = `run_${'a'.repeat(32)}`
const noWait = `wait_${'a'.repeat(32)}`

/** A session of a handle. */
async function session(): Promise<Session> {
  const { spec: own, topology } = readSpec(spec())
  const callbacks = { tools: {}, models: {}, schemas: {}, env: {} } as unknown as Callbacks
  const store = OpenStore.sessionOf(await openFresh('memory'))
  const handle = bridge().createHandle(store.number, await registered(own, topology), handleText(own, callbacks))
  return new Session(bridge(), handle, store)
}

/** Arms, then asks an agent. */
async function agentAsked(_: Runtime, arm: () => void): Promise<unknown> {
  const runtime = await runtimeWithAgent(await openFresh('memory'), 'acme')
  arm()
  const result = await runtime.query('x').result()
  // Whatever became of that, the next one is as ever.
  expect(await runtime.query('x').result()).toMatchObject({ status: 'completed' })
  return result
}

/** One case for each export and each operation: a call that is refused with InternalError when that panics. */
const refused: Record<string, Case> = {
  createEnvironment: once(() => new Bridge(addon)),
  submit: once(({ references }) => references.put('thing', 1)),
  take: async ({ references }, arm) => {
    const { id } = await references.put('thing', new Uint8Array(1_000_000))
    arm()
    return await references.resolve(id)
  },
  resolveAtHand: once(({ references }) => references.resolve(`ref_${'a'.repeat(32)}`)),
  createHandle: once(() => createRuntime(spec(), { store: 'memory:' })),
  closeHandle: once(async () => (await createRuntime(spec(), { store: 'memory:' })).close()),
  releaseTopology: once(async () => bridge().releaseTopology(0)),
  checkSpec: once(async () => parseRuntimeSpec(JSON.stringify(spec()))),
  openStore: once(() => openStore('memory:')),
  closeStore: async (_, arm) => {
    const store = await openStore('memory:')
    arm()
    return await store.close().catch(async (error) => {
      // It can be tried again.
      await store.close()
      throw error
    })
  },
  storeHealth: async (_, arm) => {
    const store = await openFresh('sled')
    arm()
    return await store.health()
  },
  storeStats: async (_, arm) => {
    const store = await openFresh('memory')
    arm()
    return await store.stats()
  },
  storeSweep: async (_, arm) => {
    const store = await openFresh('sled')
    arm()
    return await store.sweep()
  },
  storeCompact: async (_, arm) => {
    const store = await openFresh('sled')
    arm()
    return await store.compact()
  },
  storeBackup: async (_, arm) => {
    const store = await openFresh('sled')
    arm()
    return await store.backup(join(freshFolder(), 'backup'))
  },
  storeCheck: async (_, arm) => {
    const store = await openFresh('sled')
    arm()
    return await store.check()
  },
  rotateRootKey: async (_, arm) => {
    const store = await openFresh('sled')
    arm()
    return await store.rotateRootKey(new Uint8Array(32).fill(1))
  },
  setupStore: async (_, arm) => {
    const { ownerUrl } = await freshDatabase('bare')
    arm()
    return await setupStore(ownerUrl)
  },
  migrate: async (_, arm) => {
    const folder = freshFolder()
    await (await openStore(`sled:${join(folder, 'from')}`)).close()
    arm()
    return await (await migrate(`sled:${join(folder, 'from')}`, `sled:${join(folder, 'to')}`, {})).result
  },
  migratedSoFar: async (_, arm) => {
    const folder = freshFolder()
    const { result, soFar } = await migrate(`sled:${join(folder, 'none')}`, `sled:${join(folder, 'to')}`, {})
    await expect(result).rejects.toThrow(InvalidInputError)
    arm()
    return await soFar()
  },
  registerTopology: once(() => createRuntime(spec(), { store: 'memory:' })),
  advanceClock: async (_, arm) => {
    const store = await openFresh('memory', {}, { now: noon })
    arm()
    return await store.advance(1)
  },
  put: once(({ references }) => references.put('thing', 1)),
  putMany: once(({ references }) => references.putMany([{ type: 'thing', value: 1 }])),
  resolve: once(({ references }) => references.resolve(`ref_${'a'.repeat(32)}`)),
  resolveMany: once(({ references }) => references.resolveMany([`ref_${'a'.repeat(32)}`])),
  describe: once(({ references }) => references.describe(`ref_${'a'.repeat(32)}`)),
  list: once(({ references }) => references.list()),
  delete: once(({ references }) => references.delete(`ref_${'a'.repeat(32)}`)),
  cacheGet: once(({ cache }) => cache.get('key')),
  cacheSet: once(({ cache }) => cache.set('key', 1)),
  cacheDelete: once(({ cache }) => cache.delete('key')),
  cacheBegin: once(({ cache }) => cache.getOrCompute('begin', {}, () => 1)),
  cacheComputed: once(({ cache }) => cache.getOrCompute('computed', {}, () => 1)),
  usage: once((runtime) => runtime.usage()),
  planSave: once(({ plans }) => plans.save(draft)),
  planLoad: once(({ plans }) => plans.load('plan')),
  planList: once(({ plans }) => plans.list()),
  planHistory: once(({ plans }) => plans.history('plan')),
  approvalRequest: once(({ approvals }) => approvals.request(question)),
  approvalGet: once(({ approvals }) => approvals.get(`approval_${'a'.repeat(32)}`)),
  approvalPending: once(({ approvals }) => approvals.pending()),
  approvalRespond: once(({ approvals }) =>
    approvals.respond(`approval_${'a'.repeat(32)}`, { decision: 'approve', actor: 'kim' }),
  ),
  approvalHistory: once(({ approvals }) => approvals.history()),
  approvalCheckpoint: once(({ approvals }) => approvals.checkpoint()),
  approvalProve: once(({ approvals }) => approvals.prove(0)),
  approvalProveConsistency: once(({ approvals }) => approvals.proveConsistency(checkpoint)),
  approvalVerify: once(({ approvals }) => approvals.verify()),
  threadsList: once(({ threads }) => threads.list()),
  threadMessages: once(({ threads }) => threads.messages('t')),
  threadAppend: once(({ threads }) => threads.append('t', [{ role: 'assistant', parts: [] }])),
  threadFork: once(({ threads }) => threads.fork('t', { through: 'msg_' })),
  threadDelete: once(({ threads }) => threads.delete('t')),
  tracesList: once(({ traces }) => traces.list()),
  tracesEnd: once(({ traces }) => traces.follow()[Symbol.asyncIterator]().next()),
  tracesNext: once(({ traces }) => traces.follow()[Symbol.asyncIterator]().next()),
  prepareRun: agentAsked,
  runStart: agentAsked,
  runResume: once(({ runs }) => runs.resume(noRun).result()),
  runEvents: once(({ runs }) => runs.follow(noRun)[Symbol.asyncIterator]().next()),
  runCancel: once(({ runs }) => runs.cancel(noRun)),
  waitGet: once(({ waits }) => waits.get(noWait)),
  waitList: once(({ waits }) => waits.list()),
  waitSettle: once(({ waits }) => waits.settle(noWait, { value: 1 })),
  waitCancel: once(({ waits }) => waits.cancel(noWait)),
  runGet: once(({ runs }) => runs.get(noRun)),
  runRelease: async (_, arm) => {
    const calls = await session()
    arm()
    return await calls.submit(Operation.runRelease, (message) => message.text(noRun).u8(0), nothing)
  },
  workTake: async (_, arm) => {
    const store = OpenStore.sessionOf(await openFresh('memory'))
    arm()
    return await store.submit(Operation.workTake, (message) => message.optionalNumber(1).optionalNumber(1), nothing)
  },
  workMore: async (_, arm) => {
    const calls = await session()
    arm()
    return await calls.submit(Operation.workMore, (message) => message.optionalNumber(1), nothing)
  },
  runsList: once(({ runs }) => runs.list()),
  erase: async (_, arm) => {
    const runtime = await runtimeFor(await openFresh('sled'))
    arm()
    return await runtime.erase({ confirm: runtime.tenant.resourceId })
  },
  tokens: once((runtime) => runtime.usage()),
}

/** Panics that no caller meets as such: what was asked for is answered as if nothing had happened. */
const survived: Record<string, Case> = {
  // It only says what a span is linked to.
  runOrigin: once(async ({ runs }) => {
    expect(await codeOf(() => runs.resume(noRun).result())).toBe('SPEC_INVALID')
  }),
  drain: once(async ({ references, cache }) => {
    const ids = await Promise.all([1, 2, 3].map(async (value) => (await references.put('thing', value)).id))
    expect((await references.resolveMany(ids)).map((one) => one?.json())).toEqual([1, 2, 3])
    await cache.set('key', 1)
  }),
  answer: async (runtime, arm) => {
    expect(await agentAsked(runtime, arm)).toMatchObject({ status: 'failed', error: { code: 'MODEL_FAILED' } })
  },
  tracesRejected: once(async (runtime) => {
    expect(await codeOf(() => runtime.query({ prompt: 'x', tenant: 'globex' }).result())).toBe('TENANT_MISMATCH')
  }),
  tracesFlush: once(async () => (await createRuntime(spec(), { store: 'memory:' })).close()),
  cacheGiveUp: once(async ({ cache }) => {
    const failure = new RangeError('of the caller')
    await expect(cache.getOrCompute('give up', {}, () => Promise.reject(failure))).rejects.toBe(failure)
    expect(await cache.getOrCompute('give up', {}, () => 1)).toBe(1)
  }),
}

/** Every verb works. */
async function worksAsEver(runtime: Runtime): Promise<void> {
  const { references, cache } = runtime
  const { id } = await references.put('thing', { works: true })
  expect((await references.resolve(id)).json()).toEqual({ works: true })
  expect(await references.resolveMany([id])).toHaveLength(1)
  expect((await references.describe(id)).id).toBe(id)
  expect((await references.list()).items.map((item) => item.id)).toContain(id)
  expect(await references.delete(id)).toBe(true)
  for (const key of ['begin', 'computed', 'works']) {
    expect(await cache.getOrCompute(key, {}, () => 1)).toBe(1)
    expect(await cache.delete(key)).toBe(true)
  }
  const plan = await runtime.plans.save(draft)
  expect(await runtime.plans.load(plan.planId)).toEqual(plan)
  const { approvalId } = await runtime.approvals.request(question)
  const record = await runtime.approvals.respond(approvalId, { decision: 'reject', actor: 'kim' })
  if (record.decision === 'pending') throw new Error('It has no rule.')
  expect((await runtime.approvals.prove(record.sequence)).record.approvalId).toBe(approvalId)
  expect((await runtime.approvals.verify()).ok).toBe(true)
  expect((await runtime.usage()).storage.cache.bytes).toBeGreaterThanOrEqual(0)
  await (await createRuntime(spec(), { store: 'memory:' })).close()
}

describe('a panic in the core', () => {
  it('has a case for every export and every operation', () => {
    const exported = Object.keys(addon).filter((name) => name !== 'armPanic' && name !== 'skipTokens')
    expect(Object.keys({ ...refused, ...survived }).sort()).toEqual(
      [...new Set([...exported, ...Object.keys(Operation)])].sort(),
    )
  })

  it.each(Object.entries(refused))('behind %s is an InternalError, and the process lives', async (name, call) => {
    const runtime = await runtimeFor(await openFresh('sled'))
    expect(await codeOf(() => call(runtime, () => armPanic(name)))).toBe('INTERNAL')
    await worksAsEver(runtime)
  })

  it.each(Object.entries(survived))('behind %s loses no answer', async (name, call) => {
    const runtime = await runtimeFor(await openFresh('sled'))
    await call(runtime, () => armPanic(name))
    await worksAsEver(runtime)
  })
})

describe('a call that panics', () => {
  it.each(['submit', 'put'])('behind %s gives back its part of the tenant’s limit', async (name) => {
    const limits = { inFlightBytes: 64 << 10 }
    const store = await openFresh('sled')
    const { references } = await createRuntime(defineRuntime({ tenant: acme, limits }), { store })
    for (let first = 0; first < 3; first += 1) {
      const value = new Uint8Array(40 << 10).fill(first)
      armPanic(name)
      expect(await codeOf(() => references.put('file', value))).toBe('INTERNAL')
      expect((await references.put('file', value)).byteLength).toBe(value.length)
    }
  })
})

describe('answers that cannot be fetched', () => {
  it('again and again: the calls that wait are refused with InternalError, and later ones work', async () => {
    let broken = true
    const fragile = {
      ...addon,
      drain(...parameters: Parameters<typeof addon.drain>): void {
        if (broken) throw new Error('not JSON')
        addon.drain(...parameters)
      },
    }
    const native = new Bridge(fragile)
    const close = (store: number) =>
      native.submit(
        Operation.closeStore,
        store,
        () => {},
        () => 'closed',
      )
    expect(await codeOf(() => Promise.all([close(1), close(2)]))).toBe('INTERNAL')
    expect(await codeOf(() => close(3))).toBe('INTERNAL')
    broken = false
    expect(await Promise.all([close(4), close(5)])).toEqual(['closed', 'closed'])
    expect(await close(6)).toBe('closed')
  })
})
