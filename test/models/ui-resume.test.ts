import { resumeUIMessageStream, toUIMessages } from 'bailiwick/ai-sdk'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  createRuntime,
  defineCoordinator,
  defineRuntime,
  defineSpecialist,
  defineTool,
  type Model,
  type ModelEvent,
  type Runtime,
  type Store,
  withTenant,
} from '../../ts/index.ts'
import { calls, gate, says, script, usage } from '../loop/models.ts'
import { engines, openFresh } from '../support/stores.ts'
import { acme, globex } from '../unit/support.ts'
import { chunksOf, Page, reloadable, shown } from './ui-support.ts'

const input = { type: 'object' } as const
const send = defineTool({ name: 'send', description: 'Sends', input, approval: 'always' })
const look = defineTool({ name: 'look', description: 'Looks', input, effects: 'read' })
const tools = [send, look]
const below = defineSpecialist({ name: 'below', model: 'test/below', prompt: 'x', tools })
const front = defineCoordinator({ name: 'front', model: 'test/front', prompt: 'x', tools, routes: ['below'] })
const team = defineRuntime({ tenant: acme, agents: [front, below] })
const delta = (text: string): ModelEvent => ({ type: 'text.delta', id: 't', delta: text })
const stop: ModelEvent = { type: 'finish', reason: 'stop', usage }

interface Models {
  readonly front: Model
  readonly below?: Model
}

async function open(models: Models, store: Store, of = team, looks: () => unknown = () => 'seen'): Promise<Runtime> {
  const stream: Model['stream'] = (request) =>
    (request.modelId === 'front' ? models.front : (models.below ?? script())).stream(request)
  const handlers = { send: () => 'sent', look: looks }
  return (await createRuntime(of, { store, models: { test: { stream } }, tools: handlers })) as unknown as Runtime
}

const fresh = async (models: Models) => await open(models, await openFresh('memory'))

const versions = ['ai', 'ai-v7'] as const

/** The messages of a page as a reload can know them. */
const plain = (messages: readonly unknown[]) => messages.map((message) => reloadable(message as never))

async function threadOf(runtime: Runtime, threadId: string) {
  return plain(toUIMessages((await runtime.threads.messages(threadId, { limit: 1000 })).items))
}

/** A model that says the first text, waits, and says the second. */
function pausing(first: string, second: string, wrote = gate(), more = gate()) {
  const stream: Model['stream'] = async function* () {
    yield delta(first)
    wrote.open()
    await more.opened
    yield delta(second)
    yield stop
  }
  return { stream, model: { stream }, wrote: wrote.opened, goOn: more.open }
}

describe('a page that reconnects', () => {
  it('has nothing to read where no run is in progress, and learns nothing of another tenant', async () => {
    const { model, wrote, goOn } = pausing('Half', ' done.')
    const store = await openFresh('memory')
    const runtime = await open({ front: model }, store)
    const other = await open({ front: model }, store, withTenant(team, globex) as unknown as typeof team)
    const run = runtime.query({ threadId: 'chat', prompt: 'Go' })
    await wrote
    const stream = (of: Runtime, threadId: string) => resumeUIMessageStream(of, { threadId })
    expect(await stream(runtime, 'none')).toBeUndefined()
    expect(await stream(other, 'chat')).toBeUndefined()
    expect(await stream(runtime, 'chat')).toBeInstanceOf(ReadableStream)
    goOn()
    await run.result()
    expect(await stream(runtime, 'chat')).toBeUndefined()
    // But what the page shows is sent again, if it is of this chat and of this tenant.
    const again = (of: Runtime, threadId: string, runId: string) => resumeUIMessageStream(of, { threadId, runId })
    expect(await again(runtime, 'chat', run.runId)).toBeInstanceOf(ReadableStream)
    expect(await again(runtime, 'none', run.runId)).toBeUndefined()
    expect(await again(other, 'chat', run.runId)).toBeUndefined()
    expect(await again(runtime, 'chat', 'message-1')).toBeUndefined()
    runtime.query({ threadId: 'later', prompt: 'Go', startAt: Date.now() + 86_400_000 })
    expect(await stream(runtime, 'later')).toBeUndefined()
    await expect(stream(runtime, undefined as never)).rejects.toThrow('threadId is missing')
    await expect(stream({} as never, 'chat')).rejects.toThrow('Pass the runtime')
  })

  it('reads the text so far and the rest, in each tab, and leaves the run alone when it goes', async () => {
    const { model, wrote, goOn } = pausing('There are ', 'three.')
    const runtime = await fresh({ front: model })
    const run = runtime.query({ threadId: 'chat', prompt: 'How many?' })
    await wrote
    const gone = await resumeUIMessageStream(runtime, { threadId: 'chat' })
    const reader = gone?.getReader()
    await reader?.read()
    await reader?.cancel()
    const pages = [await Page.load(runtime, 'chat'), await Page.load(runtime, 'chat', 'ai-v7')]
    const reading = pages.map((page) => page.reconnect())
    goOn()
    expect(await Promise.all(reading)).toEqual([true, true])
    expect(await run.result()).toMatchObject({ status: 'completed', text: 'There are three.' })
    for (const page of pages) expect(plain(page.messages)).toEqual(await threadOf(runtime, 'chat'))
  })

  it.each(engines)(
    'shows a suspended run with what it asks, goes on after the decision, and ends as the thread, on %s',
    async (engine) => {
      const model = script(calls(['look', {}]), calls(['send', { to: 'lee' }]), says('Sent.'))
      const runtime = await open({ front: model }, await openFresh(engine))
      const run = runtime.query({ threadId: 'chat', prompt: 'Go' })
      await run.result()
      const page = await Page.load(runtime, 'chat')
      expect(await page.reconnect()).toBe(true)
      const [pending] = (await runtime.approvals.pending()).items
      expect(page.messages.at(-1)?.parts).toContainEqual(
        expect.objectContaining({
          type: 'tool-send',
          state: 'approval-requested',
          approval: { id: pending?.approvalId },
        }),
      )
      expect(plain(page.messages)).toEqual(await threadOf(runtime, 'chat'))
      await runtime.approvals.respond(pending?.approvalId as string, { decision: 'approve', actor: 'kim' })
      const resumed = runtime.runs.resume(run.runId)
      await page.reconnect()
      await resumed.result()
      expect(plain(page.messages)).toEqual(await threadOf(runtime, 'chat'))
      expect(page.messages).toHaveLength(2)
    },
  )

  it('reads on once a process takes an interrupted run up', async () => {
    const store = await openFresh('memory')
    const { model, wrote } = pausing('Half', ' done.')
    const first = await open({ front: model }, store)
    const run = first.query({ threadId: 'chat', prompt: 'Go' })
    const ended = run.result().catch(() => {})
    await wrote
    await first.close()
    await ended
    const second = await open({ front: script(says('Whole.')) }, store)
    expect((await second.runs.get(run.runId)).status).toBe('interrupted')
    const page = await Page.load(second, 'chat')
    const reading = page.reconnect()
    await second.runs.resume(run.runId).result()
    expect(await reading).toBe(true)
    expect(plain(page.messages)).toEqual(await threadOf(second, 'chat'))
  })

  it.each(versions)(
    'shows the answers to prompts that were handed to the run as messages of their own, in %s',
    async (version) => {
      const [called, looked, wrote, more] = [gate(), gate(), gate(), gate()]
      const models = [script(calls(['look', {}])), { stream: pausing('Soon', '.', wrote, more).stream }] as const
      let turn = 0
      const front: Model = { stream: (request) => (models[turn++] as Model).stream(request) }
      const runtime = await open({ front }, await openFresh('memory'), team, async () => {
        called.open()
        await looked.opened
        return 'seen'
      })
      const run = runtime.query({ threadId: 'chat', prompt: 'Go' })
      await called.opened
      const request = runtime.query({ threadId: 'chat', prompt: 'When?', whenBusy: 'steer' })
      for await (const { type } of request) if (type === 'run.queued') break
      looked.open()
      await wrote.opened
      const page = await Page.load(runtime, 'chat', version)
      const reading = page.reconnect()
      // It has found the run before that ends.
      await expect.poll(() => JSON.stringify(page.messages)).toContain('Soon')
      more.open()
      expect(await reading).toBe(true)
      expect(await run.result()).toMatchObject({ status: 'completed', text: 'Soon.' })
      const answers = page.messages.filter(({ role }) => role === 'assistant')
      expect(answers.map(({ id }) => id)).toEqual([run.runId, request.runId])
      const expected = (await threadOf(runtime, 'chat')) as { role: string }[]
      expect(plain(answers)).toEqual(expected.filter(({ role }) => role === 'assistant'))
    },
  )

  it('with `after`, what the page shows already is not sent again', async () => {
    const runtime = await fresh({ front: script(calls(['look', {}]), calls(['send', {}]), says('Sent.')) })
    const run = runtime.query({ threadId: 'chat', prompt: 'Go' })
    const chunks = await chunksOf(run)
    const [{ data } = { data: undefined }] = chunks.filter(({ type }) => type === 'data-sequence').slice(-1)
    const { sequence } = data as { readonly sequence: number }
    const stream = await resumeUIMessageStream(runtime, { threadId: 'chat', after: sequence })
    const rest: unknown[] = []
    for await (const chunk of stream ?? []) rest.push(chunk)
    expect(rest).toEqual([])
  })
})

/** One turn of a model in a generated run. */
const turn = fc.constantFrom<readonly ModelEvent[]>(
  [delta('I look. '), ...calls(['look', {}])],
  calls(['below', { task: 'x' }]),
  [{ type: 'reasoning.delta', id: 'r', delta: 'Hm. ' }, ...calls(['look', {}], ['send', {}])],
  calls(['send', {}]),
)

describe('a page whose run has ended meanwhile', () => {
  it.each(versions)('gets the rest of what it shows, also of an answer in another run, in %s', async (version) => {
    const runtime = await fresh({ front: script(calls(['send', {}]), says('Soon.'), says('Sent.')) })
    const run = runtime.query({ threadId: 'chat', prompt: 'Go' })
    await run.result()
    const page = await Page.load(runtime, 'chat', version)
    await runtime.query({ threadId: 'chat', prompt: 'When?', whenBusy: 'steer' }).result()
    const steered = await Page.load(runtime, 'chat', version)
    expect((await runtime.runs.get(run.runId)).status).toBe('completed')
    for (const each of [page, steered]) {
      expect(await each.reconnect()).toBe(true)
      const answers = each.messages.filter(({ role }) => role === 'assistant')
      const expected = (await threadOf(runtime, 'chat')) as { role: string }[]
      expect(plain(answers)).toEqual(expected.filter(({ role }) => role === 'assistant'))
    }
  })
})

describe('a page that is loaded anew at any moment of a run', () => {
  it.each(versions)('shows in the end what the thread shows, in %s', async (version) => {
    let resumed = 0
    await fc.assert(
      fc.asyncProperty(fc.array(turn, { maxLength: 4 }), fc.nat(12), async (turns, cut) => {
        const runtime = await fresh({
          front: script(...turns, says('Done.')),
          below: script(...turns.map(() => says('Done below.'))),
        })
        const run = runtime.query({ threadId: 'chat', prompt: 'Go' })
        let seen = 0
        for await (const _ of run) if (++seen > cut) break
        const page = await Page.load(runtime, 'chat', version)
        let isWhole = await page.reconnect()
        for (let current = await run.result(); current.status === 'suspended'; ) {
          for (const { approvalId } of current.approvals) {
            await runtime.approvals.respond(approvalId, {
              decision: cut % 2 === 0 ? 'approve' : 'reject',
              actor: 'kim',
            })
          }
          const next = runtime.runs.resume(run.runId)
          isWhole = await page.reconnect()
          current = (await next.result()) as typeof current
        }
        // If the run ended before the page had an answer, the page is loaded anew.
        const last = isWhole ? page : await Page.load(runtime, 'chat', version)
        if (isWhole) resumed += 1
        expect(plain(last.messages)).toEqual(await threadOf(runtime, 'chat'))
        expect(plain(last.messages).at(-1)).toEqual(reloadable((await shown(runtime.runs.follow(run.runId))).message))
      }),
      { numRuns: 30 },
    )
    expect(resumed).toBeGreaterThan(0)
  })
})
