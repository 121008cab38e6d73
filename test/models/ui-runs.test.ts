import { readUIMessageStream, type UIMessage } from 'ai'
import { toUIMessageStream, toUIMessages } from 'bailiwick/ai-sdk'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  createRuntime,
  defineCoordinator,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type Model,
  type ModelEvent,
  type RunEvent,
  type Runtime,
  type RuntimeOptions,
} from '../../ts/index.ts'
import { calls, gate, says, script, usage } from '../loop/models.ts'
import { engines, openFresh } from '../support/stores.ts'
import { chunksOf, reloadable, reloaded, shown } from './ui-support.ts'

const input = { type: 'object' } as const
const tool = (name: string, more: object = {}) =>
  defineTool({ name, description: 'x', effects: 'read', input, ...more })
const look = tool('look')
const fetchRows = tool('rows')
const fail = tool('fail')
const send = tool('send', { approval: 'always' })
const counter = defineSpecialist({ name: 'counter', model: 'test/counter', prompt: 'x', tools: [look, fail, send] })
const front = defineCoordinator({
  name: 'front',
  model: 'test/front',
  prompt: 'x',
  tools: [look, fetchRows, fail, send],
  routes: ['counter'],
})
const team = defineRuntime({ tenant: defineTenant('acme', 'v1'), agents: [front, counter] })

const LEAK = 'connect ECONNREFUSED 10.0.0.7 password=hunter2'

/** A team whose agents say what they are given, on a store of its own. */
async function open(
  models: { readonly front: Model; readonly counter?: Model },
  options: Partial<RuntimeOptions> = {},
): Promise<Runtime> {
  const byAgent: { readonly [modelId: string]: Model | undefined } = models
  const stream: Model['stream'] = (request) => (byAgent[request.modelId] ?? script()).stream(request)
  return (await createRuntime(team, {
    store: await openFresh('memory'),
    models: { test: { stream } },
    tools: {
      look: () => ({ seen: 3 }),
      rows: () => Array.from({ length: 500 }, (_, n) => ({ n, title: `Row ${n}` })),
      fail: () => {
        throw new Error(LEAK)
      },
      send: () => 'sent',
    },
    ...options,
  })) as unknown as Runtime
}

/** A model that says this, and then breaks off. */
function breaking(...events: readonly ModelEvent[]): Model['stream'] {
  return async function* () {
    yield* events
    throw Object.assign(new Error(LEAK), { retryable: true, retryAfterMs: 1 })
  }
}

const delta = (text: string): ModelEvent => ({ type: 'text.delta', id: 't', delta: text })
const finish = (reason: 'stop' | 'length' | 'content-filter' | 'other'): ModelEvent => ({
  type: 'finish',
  reason,
  usage,
})

describe('what reaches people of a run', () => {
  it('no text of an error reaches a browser, unless the host allows it', async () => {
    const runtime = await open(
      {
        front: script(calls(['fail', {}], ['counter', { task: 'x' }]), says('It did not work.')),
        counter: script(calls(['fail', {}]), says('no')),
      },
      {},
    )
    const run = runtime.query('Go')
    const { threadId = '' } = run
    const seen = JSON.stringify([await shown(run), await chunksOf(run)])
    expect(seen).not.toContain('hunter2')
    expect(seen).toContain('An error occurred.')
    const { items } = await runtime.threads.messages(threadId)
    expect(JSON.stringify(items)).toContain('hunter2')
    expect(JSON.stringify(toUIMessages(items))).not.toContain('hunter2')
    const failing = await open({ front: { stream: breaking() } })
    const failed = await shown(failing.query('Go'))
    expect(failed.errors).toEqual([new Error('An error occurred.')])
    expect(JSON.stringify(failed)).not.toContain('hunter2')

    const told: unknown[] = []
    const onError = (error: unknown) => `told ${told.push(error)}`
    const errorsOf = (chunks: readonly { type: string; errorText?: unknown }[]) =>
      chunks.flatMap(({ errorText }) => errorText ?? [])
    expect(errorsOf(await chunksOf(run, { onError }))).toEqual(['told 1'])
    expect(errorsOf(await chunksOf(failing.query('Go'), { onError }))).toEqual(['told 2'])
    expect(JSON.stringify(toUIMessages(items, { onError }))).toContain('told 3')
    const error = (code: string) => expect.objectContaining({ code, message: LEAK })
    expect(told).toEqual([error('TOOL_FAILED'), error('MODEL_FAILED'), error('TOOL_FAILED')])
    expect(told.every((one) => one instanceof Error)).toBe(true)
    const hostile = () => {
      throw new Error(LEAK)
    }
    expect(JSON.stringify(await chunksOf(run, { onError: hostile }))).not.toContain('hunter2')
    expect(JSON.stringify(toUIMessages(items, { onError: hostile }))).not.toContain('hunter2')
  })

  it('the reason why a person refused a call is shown verbatim, live and reloaded', async () => {
    const runtime = await open(
      { front: script(calls(['send', {}]), says('Not sent.')) },
      { approve: async () => ({ decision: 'reject', actor: 'kim', reason: 'Too dear.' }) },
    )
    const run = runtime.query('Go')
    const { message } = await shown(run)
    expect(message.parts).toContainEqual(expect.objectContaining({ errorText: 'A person rejected this. Too dear.' }))
    expect(reloadable(message)).toEqual(reloadable(await reloaded(runtime, run.threadId as string)))
  })

  it('a result that is kept as a reference is shown by its id, type, size and glimpse', async () => {
    const runtime = await open({ front: script(calls(['rows', {}]), says('500 rows.')) })
    const run = runtime.query('Go')
    const chunks = await chunksOf(run)
    const { items } = await runtime.references.list()
    const { id = '', type, byteLength, glimpse } = items[0] ?? {}
    expect(id).toMatch(/^ref_/)
    expect(chunks.filter((chunk) => chunk.type === 'data-reference')).toEqual([
      { type: 'data-reference', id, data: { id, type, byteLength, glimpse } },
    ])
    const { message } = await shown(run)
    expect(reloadable(message)).toEqual(reloadable(await reloaded(runtime, run.threadId as string)))
    expect(JSON.stringify(reloadable(message))).toContain('"data-reference"')
  })

  it.each(engines)(
    'the stream of a suspended run closes, and that of a resumed one continues, on %s',
    async (engine) => {
      const model = script(calls(['send', {}]), [delta('Sent once. '), ...calls(['send', {}])], says('Sent twice.'))
      const runtime = await open({ front: model }, { store: await openFresh(engine) })
      const run = runtime.query('Go')
      const first = await shown(run)
      // As the thread of a suspended run shows it.
      expect(reloadable(first.message)).toEqual({
        id: run.runId,
        role: 'assistant',
        parts: [
          { type: 'step-start' },
          { type: 'tool-send', toolCallId: 'call-0', state: 'input-available', input: {} },
        ],
      })
      expect((await chunksOf(runtime.runs.follow(run.runId))).at(-1)).toEqual({
        type: 'finish',
        finishReason: 'tool-calls',
      })
      const answer = async () => {
        const { items } = await runtime.approvals.pending()
        for (const { approvalId } of items)
          await runtime.approvals.respond(approvalId, { decision: 'approve', actor: 'kim' })
      }
      // A message that stands there goes on where it stands.
      await answer()
      const second = await shown(runtime.runs.resume(run.runId), {}, first.message)
      await answer()
      const third = await shown(runtime.runs.resume(run.runId), {}, second.message)
      expect([first.errors, second.errors, third.errors]).toEqual([[], [], []])
      const whole = await shown(runtime.runs.follow(run.runId))
      const texts = (message: UIMessage) => message.parts.flatMap((part) => (part.type === 'text' ? [part.text] : []))
      expect(texts(third.message)).toEqual(['Sent once. ', 'Sent twice.'])
      const expected = reloadable(await reloaded(runtime, run.threadId as string))
      expect(reloadable(third.message)).toEqual(expected)
      expect(reloadable(whole.message)).toEqual(expected)
      // A reader without the message sees what is new, and nothing that it cannot read.
      expect((await shown(runtime.runs.follow(run.runId), { after: 8 })).errors).toEqual([])
    },
  )

  it('with `after`, parts that a message shows already are not sent again', async () => {
    const runtime = await open({ front: script(calls(['look', {}]), says('Three.')) })
    const run = runtime.query('Go')
    const whole = await shown(run)
    const events: RunEvent[] = []
    for await (const event of run) events.push(event)
    for (const event of events) {
      // The reader shows a step with what is in it, not before.
      if (!('sequence' in event) || event.type === 'model.completed') continue
      const upTo = events.slice(0, events.indexOf(event) + 1)
      const before = await shown(
        (async function* () {
          yield* upTo
        })(),
      )
      for (const part of before.message?.parts ?? []) if (part.type === 'text') part.state = 'done'
      const after = await shown(run, { after: event.sequence }, before.message)
      expect([event.type, after.errors, reloadable(after.message)]).toEqual([event.type, [], reloadable(whole.message)])
    }
  })

  it('the work of an agent that was called is shown under its call, once', async () => {
    const [wrote, looked] = [gate(), gate()]
    const runtime = await open({
      front: script([delta('I ask. '), ...calls(['counter', { task: 'count' }])], says('There are 3.')),
      counter: {
        async *stream({ messages }) {
          if (messages.length > 1) return yield* says('Three things.')
          yield delta('I look at them.')
          await looked.opened
          yield* calls(['look', {}])
        },
      },
    })
    const run = runtime.query('How many?')
    const states: UIMessage[] = []
    for await (const state of readUIMessageStream({ stream: toUIMessageStream(run) })) {
      states.push(structuredClone(state))
      if (JSON.stringify(state).includes('I look at them.')) {
        wrote.open()
        looked.open()
      }
    }
    await wrote.opened
    const outputs = states.flatMap(({ parts }) => parts.flatMap((part) => ('output' in part ? [part] : [])))
    expect(outputs).toContainEqual(
      expect.objectContaining({
        type: 'tool-counter',
        preliminary: true,
        output: { agent: 'counter', text: 'I look at them.', tools: [] },
      }),
    )
    expect(outputs).toContainEqual(
      expect.objectContaining({
        output: expect.objectContaining({ tools: [{ callId: 'call-0-2', tool: 'look', state: 'done' }] }),
      }),
    )
    expect(reloadable(states.at(-1))).toEqual({
      id: run.runId,
      role: 'assistant',
      parts: [
        { type: 'step-start' },
        { type: 'text', text: 'I ask. ', state: 'done' },
        {
          type: 'tool-counter',
          toolCallId: 'call-0',
          state: 'output-available',
          input: { task: 'count' },
          output: 'Three things.',
        },
        { type: 'step-start' },
        { type: 'text', text: 'There are 3.', state: 'done' },
      ],
    })
    expect(reloadable(await reloaded(runtime, run.threadId as string))).toEqual(reloadable(states.at(-1)))
  })

  it('the stream ends with the reason for which the answer did', async () => {
    for (const reason of ['stop', 'length', 'content-filter', 'other'] as const) {
      const runtime = await open({ front: script([delta('Once upon'), finish(reason)]) })
      expect((await chunksOf(runtime.query('Go'))).at(-1)).toEqual({ type: 'finish', finishReason: reason })
    }
  })

  it('a discarded message does not count, and the stream says so', async () => {
    const discarded: RunEvent = {
      type: 'message.discarded',
      runId: 'run-1',
      at: 0,
      agent: 'front',
      messageId: 'm1',
      after: 1,
    }
    const text = (
      messageId: string,
      value: string,
      kind: 'text.delta' | 'reasoning.delta' = 'text.delta',
    ): RunEvent => ({
      ...{ type: kind, runId: 'run-1', at: 0, agent: 'front', messageId, delta: value, offset: 0, after: 1 },
    })
    const run = async function* (): AsyncGenerator<RunEvent> {
      yield { type: 'run.started', runId: 'run-1', sequence: 0, at: 0, prompt: 'x' }
      yield { type: 'agent.started', runId: 'run-1', sequence: 1, at: 0, agent: 'front' }
      yield text('m1', 'hm', 'reasoning.delta')
      yield text('m1', 'Abandoned')
      yield discarded
      yield { ...discarded, messageId: 'never shown' }
      yield text('m1-1', 'Whole.')
      yield { type: 'run.completed', runId: 'run-1', sequence: 2, at: 0, text: 'Whole.', output: 'Whole.', usage: {} }
    }
    const { message, errors } = await shown(run())
    expect(errors).toEqual([])
    expect(message.parts.at(-2)).toEqual({ type: 'data-discarded', id: 'm1', data: { messageId: 'm1', parts: 2 } })
    expect(reloadable(message)).toEqual({
      id: 'run-1',
      role: 'assistant',
      parts: [{ type: 'step-start' }, { type: 'text', text: 'Whole.', state: 'done' }],
    })
    const types = (await chunksOf(run(), { discard: 'reset-step' })).map(({ type }) => type)
    expect(types).toEqual([
      'start',
      'start-step',
      'reasoning-start',
      'reasoning-delta',
      'reasoning-end',
      'text-start',
      'text-delta',
      'reset-step',
      'text-start',
      'text-delta',
      'text-end',
      'finish-step',
      'data-sequence',
      'finish',
    ])
  })

  it('reasoning is left out where the host wants it so', async () => {
    const runtime = await open({ front: script([{ type: 'reasoning.delta', id: 'r', delta: 'hm' }, ...says('Hi.')]) })
    const run = runtime.query('Go')
    const { message } = await shown(run, { sendReasoning: false, sendSources: true })
    expect(message.parts.map(({ type }) => type)).toEqual(['step-start', 'text'])
    const { items } = await runtime.threads.messages(run.threadId as string)
    expect(toUIMessages(items, { sendReasoning: false }).at(-1)).toEqual(reloadable(message))
    expect(JSON.stringify(toUIMessages(items))).toContain('hm')
  })
})

/** What one turn of a model is, in a generated run. */
type Turn = 'look' | 'rows' | 'fail' | 'counter' | 'unknown' | 'two' | 'breaks' | 'thinks'
const turn = fc.constantFrom<Turn>('look', 'rows', 'fail', 'counter', 'unknown', 'two', 'breaks', 'thinks')
const end = fc.constantFrom('says', 'fails', 'cancelled')

describe('a run as it is shown while it works, and after a reload', () => {
  it('they are the same, whatever the run does', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(turn, { maxLength: 4 }),
        fc.array(turn, { maxLength: 2 }),
        end,
        async (turns, below, last) => {
          let cancel = () => {}
          const cancelled: Model['stream'] = async function* ({ signal }) {
            yield delta('Half an ')
            cancel()
            await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
          }
          const ends = { says: scripted(says('Done.')), fails: breaking(), cancelled }
          const runtime = await open({
            front: playing(turns, ends[last]),
            counter: playing(
              below.map((one) => (one === 'counter' || one === 'rows' ? 'look' : one)),
              scripted(says('Counted.')),
            ),
          })
          const run = runtime.query('Go')
          cancel = () => run.cancel()
          const live = await shown(run)
          const { status } = await run.result()
          const later = await shown(run)
          const again = await reloaded(runtime, run.threadId as string)
          if (status === 'completed') expect(reloadable(live.message)).toEqual(reloadable(again))
          expect(JSON.stringify([live.message, later.message])).not.toContain('hunter2')
          await runtime.close()
        },
      ),
      { numRuns: 40 },
    )
  })
})

function scripted(events: readonly ModelEvent[]): Model['stream'] {
  return async function* () {
    yield* events
  }
}

/** A model that takes these turns, and then ends. One that breaks off is asked again, and says something else. */
function playing(turns: readonly Turn[], last: Model['stream']): Model {
  const ahead = turns.flatMap((one): Model['stream'][] => {
    switch (one) {
      case 'breaks':
        return [breaking(), scripted([delta('Anew. '), ...calls(['look', {}])])]
      case 'two':
        return [scripted([delta('Both. '), ...calls(['look', {}], ['fail', {}])])]
      case 'thinks':
        return [scripted([{ type: 'reasoning.delta', id: 'r', delta: 'hm' }, ...calls(['look', {}])])]
      case 'counter':
        return [scripted(calls(['counter', { task: 'count' }]))]
      default:
        return [scripted(calls([one, {}]))]
    }
  })
  let at = 0
  return {
    stream(request) {
      const next = ahead[at] ?? last
      at += 1
      return next(request)
    },
  }
}
