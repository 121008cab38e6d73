import { describe, expect, it } from 'vitest'
import { createRuntime, defineTool, type Message, type Model, type Part } from '../../ts/index.ts'
import { problemsOf } from '../prompt/rules.ts'
import { engines, openFresh } from '../support/stores.ts'
import { calls, says, script } from './models.ts'
import { input, specOf } from './specs.ts'

const strict = defineTool({
  name: 'look',
  description: 'x',
  effects: 'read',
  input: { ...input, properties: { text: { type: 'string' } }, required: ['text'] },
})

/** What each message of a request holds. */
const shapeOf = (messages: readonly Message[] | undefined) =>
  messages?.map(({ role, parts }) => [role, ...parts.map((part) => ('callId' in part ? part.callId : part.type))])

describe.each(engines)('what a model of any kind is sent, on %s', (engine) => {
  async function runtimeOf(model: Model) {
    const tools = { look: () => 'three' } as never
    return await createRuntime(specOf('acme', [strict]), {
      store: await openFresh(engine),
      models: { test: model },
      tools,
    })
  }

  it('a model that repeats call-0 in every turn is sent unique ids, also in the next run of the thread', async () => {
    const look = calls(['look', { text: 'shoes' }])
    const model = script(look, says('Three.'), look, look, says('Three.'))
    const runtime = await runtimeOf(model)
    const { threadId } = await runtime.query('Shoes?').result()
    const again = await runtime.query({ prompt: 'Again?', threadId: String(threadId) }).result()
    expect(again).toMatchObject({ status: 'completed', text: 'Three.' })
    const sent = shapeOf(model.requests.at(-1)?.messages)
    const ids = sent
      ?.filter(([role]) => role === 'assistant')
      .flatMap(([, ...parts]) => parts.filter((part) => part !== 'text'))
    expect(new Set(ids).size).toBe(3)
    expect(ids?.[0]).toBe('call-0')
    // Each result follows its own call, and what was sent before is sent again as it was.
    expect(sent?.filter(([role]) => role === 'tool').flatMap(([, ...parts]) => parts)).toEqual(ids)
    for (const { messages } of model.requests.slice(2))
      expect(model.requests.at(-1)?.messages.slice(0, messages.length)).toEqual(messages)
  })

  it("truncated arguments are sent as an object, and the thread keeps the model's text", async () => {
    const model = script(
      calls(['look', '{"text":'], ['look', 'null'], ['look', '[1]'], ['look', '"x"']),
      says('Sorry.'),
    )
    const runtime = await runtimeOf(model)
    const { threadId } = await runtime.query('Shoes?').result()
    const inputs = (messages: readonly Message[] | undefined) =>
      messages?.flatMap(({ parts }) => parts.flatMap((part) => (part.type === 'tool-call' ? [part.input] : [])))
    expect(inputs(model.requests[1]?.messages)).toEqual([{ input: '{"text":' }, {}, { input: [1] }, { input: 'x' }])
    expect(inputs((await runtime.threads.messages(String(threadId))).items)).toEqual(['{"text":', null, [1], 'x'])
  })

  it('a thread imported in pieces, and a fork through a call, accept a prompt', async () => {
    const call: Part = { type: 'tool-call', callId: 'call_0', tool: 'look', input: {} }
    const result: Part = { type: 'tool-result', callId: 'call_0', result: 'three' }
    const text: Part = { type: 'text', text: 'Hello' }
    const model = script(says('Here.'), says('There.'))
    const runtime = await runtimeOf(model)
    const imported = (['assistant', 'assistant', 'user', 'tool', 'assistant', 'tool'] as const).map((role, at) => ({
      role,
      createdAt: at,
      parts: role === 'tool' ? [result] : role === 'assistant' && at > 0 ? [call] : [text],
    }))
    let appended: readonly Message[]
    try {
      appended = await runtime.threads.append('old', imported)
    } catch (error) {
      // Threads may refuse it, too, and say why: then nothing of it is there.
      expect(error).toMatchObject({ code: 'INVALID_INPUT' })
      return
    }
    await runtime.threads.fork('old', { through: String(appended[1]?.messageId), threadId: 'new' })
    for (const threadId of ['old', 'new']) {
      expect(await runtime.query({ prompt: 'Well?', threadId }).result()).toMatchObject({ status: 'completed' })
    }
    expect(model.requests.map(({ messages }) => problemsOf(messages))).toEqual([[], []])
  })
})
