import { setTimeout } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { PostgresServer } from '../../scripts/test/postgres-server.mjs'
import {
  BailiwickError,
  createHost,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  openStore,
  setupStore,
  type ToolContext,
  waitFor,
} from '../../ts/index.ts'
import { calls, sayingModel, says } from '../loop/models.ts'
import { over } from './team.ts'

const input = { type: 'object' } as const
const tool = (name: string) => defineTool({ name, description: 'Works', input, onInterrupted: 'retry' })
const kinds = ['answer', 'event', 'time', 'later', 'approval'] as const
const tools = [
  tool('answer'),
  tool('event'),
  tool('time'),
  defineTool({ name: 'later', description: 'Works', input, onInterrupted: 'retry', whileWaiting: 'continue' }),
  defineTool({ name: 'approval', description: 'Works', input, onInterrupted: 'retry', approval: 'always' }),
]
const topology = defineRuntime({
  tenant: defineTenant('template', 'v1'),
  agents: [defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.', tools })],
})
/** Calls the tool that the prompt names. */
const model = sayingModel(({ messages }) => {
  const last = messages.at(-1)
  const [part] = last?.parts ?? []
  return last?.role === 'user' && part?.type === 'text' ? calls([part.text, {}]) : says('Done.')
})

/** Calls something again until the server answers. */
async function untilAnswered<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!BailiwickError.isInstance(error) || error.code !== 'STORE_UNAVAILABLE') throw error
      await setTimeout(50)
    }
  }
}

it('runs that wait go on after a failover to a standby, by themselves and once', async () => {
  const primary = await PostgresServer.start()
  onTestFinished(() => primary.remove())
  const { url } = await setupStore(primary.url)
  const standby = await primary.follower()
  onTestFinished(() => standby.remove())
  const place = (server: PostgresServer) => new URL(server.url).host
  const both = `${url.replace(place(primary), `${place(primary)},${place(standby)}`)}?target_session_attrs=read-write`
  const store = await openStore(both, { rootKey: new Uint8Array(32).fill(7) })
  onTestFinished(() => store.close())
  const done: string[] = []
  const waits = {
    answer: waitFor.answer({ question: 'Which?' }),
    event: waitFor.event({ name: 'paid' }),
    time: waitFor.time({ afterMs: 1_500 }),
    later: waitFor.event({ name: 'late' }),
  }
  const handler = (kind: keyof typeof waits) => (_: unknown, context: ToolContext) =>
    context.resumed === undefined ? waits[kind] : done.push(kind)
  const failures: unknown[] = []
  const host = await createHost(topology, {
    store,
    models: { test: model },
    tools: {
      answer: handler('answer'),
      event: handler('event'),
      time: handler('time'),
      later: handler('later'),
      approval: () => done.push('approval'),
    },
    onError: (error: unknown) => failures.push(error),
  } as never)
  onTestFinished(() => host.close())
  await host.start()
  const acme = await host.runtime('acme')
  const begun = await Promise.all(kinds.map((kind) => acme.query(kind).result()))
  expect(begun.map(({ status }) => status)).toEqual(kinds.map((kind) => (kind === 'later' ? 'completed' : 'suspended')))

  await primary.quit()
  standby.promote()
  const open = await untilAnswered(() => acme.waits.list())
  for (const { waitId, kind } of open.items) {
    if (kind !== 'time') await untilAnswered(() => acme.waits.settle(waitId, { value: 'this' }))
  }
  const [approval] = (await untilAnswered(() => acme.approvals.pending())).items
  await untilAnswered(() => acme.approvals.respond(approval?.approvalId ?? '', { decision: 'approve', actor: 'kim' }))
  for (const { runId } of begun) expect(await untilAnswered(() => over(acme, runId))).toBe('completed')
  // The run that goes on with the call that was left.
  const ids = new Set(begun.map(({ runId }) => runId))
  const next = await untilAnswered(async () => {
    for (;;) {
      const found = (await acme.runs.list()).items.find(({ runId }) => !ids.has(runId))
      if (found !== undefined) return found.runId
      await setTimeout(50)
    }
  })
  expect(await untilAnswered(() => over(acme, next))).toBe('completed')
  expect(done.toSorted()).toEqual(kinds.toSorted())
  expect(failures.map((error) => BailiwickError.isInstance(error) && error.code)).toEqual(
    failures.map(() => 'STORE_UNAVAILABLE'),
  )
})
