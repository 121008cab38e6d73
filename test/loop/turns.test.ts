import { describe, expect, it } from 'vitest'
import { createRuntime, defineRuntime, defineSpecialist, defineTool, type RunEvent } from '../../ts/index.ts'
import { engines, openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { calls, says, script } from './models.ts'

const search = defineTool({
  name: 'search',
  description: 'Finds products',
  input: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
  effects: 'read',
})
const store = defineTool({
  name: 'store',
  description: 'Stores a note',
  input: { type: 'object', properties: { note: { type: 'string' } } },
})
const analyst = defineSpecialist({ name: 'analyst', model: 'test/small', prompt: 'Analyse.', tools: [search, store] })
const spec = defineRuntime({ tenant: acme, agents: [analyst] })

describe.each(engines)('a run on %s', (engine) => {
  it('a specialist answers with its tools, and everything is an event without gaps', async () => {
    const model = script(calls(['search', { text: 'shoes' }], ['store', { note: 'x' }]), says('Shoes it is.'))
    const seen: unknown[] = []
    const runtime = await createRuntime(spec, {
      store: await openFresh(engine),
      models: { test: model },
      tools: {
        search: (input, context) => {
          seen.push([input, context.callId, context.tenant])
          return { found: 3 }
        },
        store: () => 'stored',
      },
    })
    const run = runtime.query({ prompt: 'What sells?', actor: 'kim' })
    const events: RunEvent[] = []
    for await (const event of run) events.push(event)
    expect(await run.result()).toEqual({
      runId: run.runId,
      threadId: run.threadId,
      status: 'completed',
      text: 'Shoes it is.',
      output: 'Shoes it is.',
      finishReason: 'stop',
      usage: {
        'test/small': {
          inputTokens: 20,
          outputTokens: 10,
          cacheReadTokens: 0,
          cacheWriteTokens: 0,
          reasoningTokens: 0,
        },
      },
    })
    const journaled = events.filter((event) => 'sequence' in event)
    expect(journaled.map((event) => event.sequence)).toEqual(journaled.map((_, at) => at))
    expect(events.map(({ type }) => type)).toEqual([
      'run.started',
      'agent.started',
      'model.completed',
      'tool.called',
      'tool.called',
      'tool.completed',
      'tool.completed',
      'text.delta',
      'model.completed',
      'agent.completed',
      'run.completed',
    ])
    expect(seen).toEqual([[{ text: 'shoes' }, 'call-0', acme]])
    expect(model.requests[1]?.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool'])
    expect((await runtime.threads.messages(run.threadId as string)).items.map(({ role }) => role)).toEqual([
      'user',
      'assistant',
      'tool',
      'assistant',
    ])
    expect(await runtime.runs.get(run.runId)).toMatchObject({ status: 'completed', agent: 'analyst', actor: 'kim' })
    expect((await runtime.usage()).tokens).toEqual((await run.result()).usage)
  })
})
