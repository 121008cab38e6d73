import { describe, expect, it } from 'vitest'
import {
  createRuntime,
  defineRuntime,
  defineSpecialist,
  defineTool,
  type Model,
  type ModelRequest,
  type NewMessage,
  type RunEvent,
  type Runtime,
  SpecError,
} from '../../ts/index.ts'
import { openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { calls, sayingModel, says } from './models.ts'

const maxTokens = 5_000
const look = defineTool({ name: 'look', description: 'Looks', input: { type: 'object' }, effects: 'read' })
const spec = defineRuntime({
  tenant: acme,
  agents: [defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.', tools: [look] })],
  context: { maxTokens },
})

/** Messages of a conversation: a question, a call, its result, an answer, and so on. */
function said(count: number): NewMessage[] {
  return Array.from({ length: count }, (_, at): NewMessage => {
    const text = `said ${at}, ${'word '.repeat(80)}`
    const callId = `call-${at - (at % 4)}`
    if (at % 4 === 1) return { role: 'assistant', parts: [{ type: 'tool-call', callId, tool: 'look', input: { at } }] }
    if (at % 4 === 2) return { role: 'tool', parts: [{ type: 'tool-result', callId, result: text }] }
    return { role: at % 4 === 0 ? 'user' : 'assistant', parts: [{ type: 'text', text }] }
  })
}

/** What is wrong with a request: it does not fit, or no provider would take it. */
function problemsOf({ messages }: ModelRequest): string[] {
  const problems: string[] = []
  if (JSON.stringify(messages).length > 4 * maxTokens) problems.push('does not fit')
  if (messages[0]?.role !== 'user') problems.push('does not begin with a user')
  let open: string[] = []
  for (const { role, parts } of messages) {
    if (role !== 'tool' && open.length > 0) problems.push('has calls without results')
    if (role === 'assistant') open = parts.flatMap((part) => (part.type === 'tool-call' ? [part.callId] : []))
    for (const part of parts) {
      if (part.type !== 'tool-result') continue
      if (!open.includes(part.callId)) problems.push('has a result without a call')
      open = open.filter((callId) => callId !== part.callId)
    }
  }
  return problems
}

/** The same model of a provider that counts no tokens. */
function uncounted(model: Model): Model {
  return {
    async *stream(request) {
      for await (const event of model.stream(request)) {
        yield event.type === 'finish' ? { ...event, usage: { inputTokens: 0, outputTokens: 1 } } : event
      }
    },
  }
}

const textOf = (request: ModelRequest | undefined) => JSON.stringify(request?.messages)
const folds = (events: readonly RunEvent[]) => events.filter((event) => event.type === 'context.folded')

async function eventsOf(runtime: Runtime, prompt: string): Promise<RunEvent[]> {
  const events: RunEvent[] = []
  for await (const event of runtime.query({ prompt, threadId: 'long' })) events.push(event)
  return events
}

describe.each(['memory', 'sled'] as const)('a thread of thousands of messages on %s', (engine) => {
  it('goes on through many runs within the budget, and every message can be recalled', async () => {
    const store = await openFresh(engine)
    const wanted: string[] = []
    const model = sayingModel(({ messages }) => {
      const last = messages.at(-1)
      const ids = wanted.splice(0, 3)
      if (ids.length > 0) return calls(...ids.map((messageId) => ['recall', { messageId }] as const))
      if (last?.role === 'tool') return says('Found.')
      return textOf({ messages } as ModelRequest).includes('Look')
        ? calls(['look', {}], ['look', { a: 1 }])
        : says('Yes.')
    })
    const options = { models: { test: uncounted(model) }, tools: { look: () => 'seen '.repeat(200) } }
    let runtime = await createRuntime(spec, { store, ...options })
    const all = said(3_000)
    for (let from = 0; from < all.length; from += 1000)
      await runtime.threads.append('long', all.slice(from, from + 1000))
    const first = await eventsOf(runtime, 'Look around')
    expect(folds(first)).toHaveLength(1)
    expect(folds(first)[0]).toMatchObject({ agent: 'clerk', from: expect.stringMatching(/^msg_/) })
    expect(textOf(model.requests[0])).toContain('earlier messages of this conversation are folded')
    expect(model.requests[0]?.tools.map((tool) => tool.name)).toEqual(['look', 'recall'])
    for (let run = 0; run < 12; run += 1) {
      if (run % 4 === 3) {
        // Another handle knows nothing but what the store has.
        await runtime.close()
        runtime = await createRuntime(spec, { store, ...options })
      }
      const events = await eventsOf(runtime, `Look ${run} ${'again '.repeat(300)}`)
      expect(events.at(-1)).toMatchObject({ type: 'run.completed' })
    }
    const ids: string[] = []
    let cursor: string | undefined
    do {
      const page = await runtime.threads.messages('long', { limit: 1000, ...(cursor === undefined ? {} : { cursor }) })
      ids.push(...page.items.map((message) => message.messageId))
      cursor = page.cursor
    } while (cursor !== undefined)
    const probes = [0, 1, 2, 3, 1500, 2999].map((at) => ids[at] as string)
    wanted.push(...probes)
    const events = await eventsOf(runtime, 'Recall')
    const results = events.flatMap((event) => (event.type === 'tool.completed' ? [event.result] : []))
    expect(results.map((result) => (result as { messageId: string }).messageId)).toEqual(probes)
    expect(results[4]).toMatchObject({ role: 'user', text: expect.stringContaining('said 1500') })
    expect(results[1]).toMatchObject({ text: expect.stringContaining('of look] {"at":1}') })
    expect(model.requests.flatMap(problemsOf)).toEqual([])
    await store.close()
  })
})

it('a fold within a run is sent anew, and the run goes on', async () => {
  const store = await openFresh('memory')
  const model = sayingModel(({ messages }) => {
    const looked = model.requests.length
    return looked < 40 ? calls(['look', { looked, messages: messages.length }]) : says('Enough.')
  })
  const tools = { look: () => 'seen '.repeat(300) }
  const runtime = await createRuntime(spec, {
    store,
    models: { test: uncounted(model) },
    tools,
  })
  const events = await eventsOf(runtime, 'Look forty times')
  expect(events.at(-1)).toMatchObject({ type: 'run.completed', text: 'Enough.' })
  expect(folds(events).length).toBeGreaterThan(2)
  expect(model.requests.flatMap(problemsOf)).toEqual([])
  expect(textOf(model.requests.at(-1))).toContain('user: Look forty times')
  await store.close()
})

it('a way to compact that there is not is refused, with the words there are', () => {
  const define = () => defineRuntime({ tenant: acme, context: { compact: 'digest' } as never })
  expect(define).toThrow(SpecError)
  expect(define).toThrow(/Must be one of "outline", "summary"/)
})

it('a run that is resumed with less room folds more, and nothing between the folds is lost', async () => {
  const store = await openFresh('memory')
  const sign = defineTool({ name: 'sign', description: 'Signs', input: { type: 'object' }, approval: 'always' })
  const specWith = (maxTokens: number) =>
    defineRuntime({
      tenant: acme,
      agents: [defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.', tools: [look, sign] })],
      context: { maxTokens },
    })
  const model = sayingModel(({ messages }) =>
    messages.at(-1)?.role === 'user' ? calls(['sign', {}]) : says('Signed.'),
  )
  const options = { store, models: { test: uncounted(model) }, tools: { look: () => 'seen', sign: () => 'signed' } }
  const wide = await createRuntime(specWith(20_000), options)
  await wide.threads.append('long', said(400))
  const result = await wide.query({ prompt: 'Sign', threadId: 'long' }).result()
  const approvalId = result.status === 'suspended' ? (result.approvals[0]?.approvalId ?? '') : ''
  await wide.approvals.respond(approvalId, { decision: 'approve', actor: 'kim' })
  await wide.close()
  const narrow = await createRuntime(specWith(4_000), options)
  expect(await narrow.runs.resume(result.runId).result()).toMatchObject({ status: 'completed' })
  const events: RunEvent[] = []
  for await (const event of narrow.runs.follow(result.runId)) events.push(event)
  const [before, after] = folds(events)
  const last = model.requests.at(-1) as ModelRequest
  expect(folds(events)).toHaveLength(2)
  expect(after?.tokens).toBeGreaterThan(before?.tokens ?? 0)
  expect(JSON.stringify(last.messages).length).toBeLessThan(4 * 4_000)
  // What is sent follows what is folded, without a gap.
  const ids = (await narrow.threads.messages('long', { limit: 1000 })).items.map(({ messageId }) => messageId)
  const sent = last.messages.map(({ messageId }) => messageId).filter((id) => ids.includes(id))
  expect(ids[ids.indexOf(after?.to ?? '') + 1]).toBe(sent[0])
  await store.close()
})
