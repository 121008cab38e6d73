import { describe, expect, it, onTestFinished } from 'vitest'
import {
  createHost,
  defineRuntime,
  defineSpecialist,
  defineTool,
  type Host,
  type Store,
  type ToolContext,
  waitFor,
} from '../../ts/index.ts'
import { calls, sayingModel, says } from '../loop/models.ts'
import { engines, noon, openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { functions, over, runtimeOf, topology } from './team.ts'

/** A started host whose tool `look` waits as a function says. */
async function waitingHost(store: Store, look: (context: ToolContext) => unknown): Promise<Host> {
  const { models, tools } = functions()
  const looking = { ...tools, look: (_: unknown, context: ToolContext) => look(context) }
  const host = await createHost(topology, { store, models, tools: looking } as never)
  onTestFinished(() => host.close())
  await host.start()
  return host as Host
}

describe.each(engines)('waits and a host on %s', (engine) => {
  it('a run goes on when its wait is settled, with another handle, and without anybody resuming it', async () => {
    const store = await openFresh(engine)
    const seen: unknown[] = []
    const host = await waitingHost(store, ({ resumed }) => {
      if (resumed === undefined) return waitFor.event({ name: 'paid' })
      return seen.push([resumed.kind, resumed.value, resumed.actor])
    })
    const acme = await host.runtime('acme')
    const run = acme.query('look')
    const result = await run.result()
    const waitId = result.status === 'suspended' ? (result.waits[0]?.waitId ?? '') : ''
    const elsewhere = await runtimeOf(store, 'acme')
    await elsewhere.waits.settle(waitId, { value: 5 }, { actor: 'bank' })
    expect(await over(acme, run.runId)).toBe('completed')
    expect(seen).toEqual([['event', 5, 'bank']])
    const again = acme.query('look')
    const second = await again.result()
    await elsewhere.waits.cancel(second.status === 'suspended' ? (second.waits[0]?.waitId ?? '') : '')
    expect(await over(acme, again.runId)).toBe('completed')
    expect(host.stats()).toMatchObject({ taken: 2, refused: 0 })
  })

  it('a run that is completed leaves its call open, and the result begins a run by itself', async () => {
    const store = await openFresh(engine)
    const whileWaiting = 'continue'
    const later = defineTool({ name: 'later', description: 'Waits', input: { type: 'object' }, whileWaiting })
    const model = sayingModel(({ messages }) => {
      const said = JSON.stringify(messages.at(-1))
      return said.includes('Begin') ? calls(['later', {}]) : says(said.includes('which waited') ? 'It came.' : 'Hm.')
    })
    const spec = defineRuntime({
      tenant: acme,
      agents: [defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.', tools: [later] })],
    })
    const keys: unknown[] = []
    const handler = (_: unknown, { resumed, idempotencyKey, callId }: ToolContext) => {
      keys.push([idempotencyKey, callId])
      return resumed === undefined ? waitFor.event({ name: 'paid' }) : `got ${resumed.value}`
    }
    const host = await createHost(spec, { store, models: { test: model }, tools: { later: handler } })
    onTestFinished(() => host.close())
    await host.start()
    const runtime = await host.runtime('acme')
    const result = await runtime.query({ threadId: 'chat', prompt: 'Begin' }).result()
    expect(result).toMatchObject({ status: 'completed', text: 'Hm.', waiting: ['call-0'] })
    expect(await runtime.query({ threadId: 'chat', prompt: 'Hello' }).result()).toMatchObject({ status: 'completed' })
    const [wait] = (await runtime.waits.list()).items
    await runtime.waits.settle(wait?.waitId ?? '', { value: 5 })
    const isThere = async () => (await runtime.threads.messages('chat')).items.length === 8
    await expect.poll(isThere, { timeout: 5_000 }).toBe(true)
    const { items } = await runtime.threads.messages('chat')
    const expected = ['user', 'assistant', 'tool', 'assistant', 'user', 'assistant', 'tool', 'assistant']
    expect(items.map(({ role }) => role)).toEqual(expected)
    expect(items[6]?.parts).toMatchObject([{ callId: 'call-0', state: 'late', tool: 'later', result: 'got 5' }])
    expect(items[7]?.parts).toMatchObject([{ text: 'It came.' }])
    expect(items[6]?.runId).toBe(items[7]?.runId)
    expect(items[6]?.runId).not.toBe(result.runId)
    expect(keys).toHaveLength(2)
    expect(keys[1]).toEqual(keys[0])
    expect(host.stats()).toMatchObject({ refused: 0 })
  })

  it('a time comes, and an event does not, by the clock alone', async () => {
    const store = await openFresh(engine, {}, { now: noon })
    const seen: unknown[] = []
    const host = await waitingHost(store, ({ resumed }) => {
      seen.push(resumed?.kind)
      if (resumed === undefined) return waitFor.time({ afterMs: 60_000 })
      return resumed.kind === 'time' ? waitFor.event({ name: 'late', ttlMs: 60_000 }) : 'never mind'
    })
    const acme = await host.runtime('acme')
    const run = acme.query('look')
    expect(await run.result()).toMatchObject({ status: 'suspended' })
    await store.advance(30_000)
    expect((await acme.runs.get(run.runId)).status).toBe('suspended')
    await store.advance(30_000)
    for await (const { type } of acme.runs.follow(run.runId)) if (seen.length === 2 && type === 'run.suspended') break
    await store.advance(60_000)
    expect(await over(acme, run.runId)).toBe('completed')
    expect(seen).toEqual([undefined, 'time', 'expired'])
    expect((await acme.waits.list()).items.map(({ status }) => status)).toEqual(['expired', 'settled'])
  })
})
