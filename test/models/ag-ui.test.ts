import { AbstractAgent, type BaseEvent, verifyEvents } from '@ag-ui/client'
import { EventSchema } from '@ag-ui/core/schemas'
import { type AgUiEvent, type AgUiOptions, toAgUiEvents } from 'bailiwick/ag-ui'
import fc from 'fast-check'
import { from, lastValueFrom, toArray } from 'rxjs'
import { describe, expect, it } from 'vitest'
import {
  createRuntime,
  defineCoordinator,
  defineQuestion,
  defineRuntime,
  defineSpecialist,
  defineTool,
  InvalidInputError,
  type Model,
  type ModelEvent,
  type Run,
  type RunEvent,
  type Runtime,
} from '../../ts/index.ts'
import { calls, gate, says, script, usage } from '../loop/models.ts'
import { openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { end, event, runOf } from './run-events.ts'

const input = { type: 'object' } as const
const look = defineTool({ name: 'look', description: 'Looks', input, effects: 'read' })
const fail = defineTool({ name: 'fail', description: 'Fails', input, effects: 'read' })
const send = defineTool({ name: 'send', description: 'Sends', input, approval: 'always' })
const ask = defineQuestion({ name: 'ask', description: 'Asks', answer: { type: 'string', enum: ['red', 'blue'] } })
const tools = [look, fail, send, ask]
const below = defineSpecialist({ name: 'below', model: 'test/below', prompt: 'x', tools })
const front = defineCoordinator({ name: 'front', model: 'test/front', prompt: 'x', tools, routes: ['below'] })
const team = defineRuntime({ tenant: acme, agents: [front, below] })
const delta = (text: string): ModelEvent => ({ type: 'text.delta', id: 't', delta: text })

/** A model that says half of its answer, and no more until it is cancelled. */
const saysHalf = (asked: () => void): Model => ({
  async *stream({ signal }) {
    asked()
    yield delta('Half')
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  },
})
const LEAK = 'password=hunter2'

async function open(models: { readonly front: Model; readonly below?: Model }, of = team): Promise<Runtime> {
  const stream: Model['stream'] = (request) =>
    (request.modelId === 'front' ? models.front : (models.below ?? script())).stream(request)
  return (await createRuntime(of, {
    store: await openFresh('memory'),
    models: { test: { stream } },
    tools: {
      look: () => ({ seen: 3 }),
      send: () => 'sent',
      fail: () => {
        throw new Error(LEAK)
      },
    },
  })) as unknown as Runtime
}

/** The events as they are sent; fails if @ag-ui/core does not know one, or its client does not take their order. */
async function verified(run: AsyncIterable<RunEvent>, options: AgUiOptions = {}): Promise<AgUiEvent[]> {
  const events: AgUiEvent[] = []
  for await (const shown of toAgUiEvents(run, options)) events.push(JSON.parse(JSON.stringify(shown)))
  // What a schema leaves out would be lost to a client.
  for (const shown of events) expect(EventSchema.parse(shown)).toEqual(shown)
  if (events.length > 0) await lastValueFrom(from(events as unknown as BaseEvent[]).pipe(verifyEvents(), toArray()))
  return events
}

/** The agent of @ag-ui/client, which gets these events. */
class Client extends AbstractAgent {
  readonly #events: () => AsyncIterable<AgUiEvent>

  constructor(events: () => AsyncIterable<AgUiEvent>) {
    super({ threadId: 'chat' })
    this.#events = events
  }

  override run() {
    return from(this.#events()) as never
  }
}

const typesOf = (events: readonly AgUiEvent[]) => events.map(({ type }) => type)
const lastOf = (events: readonly AgUiEvent[]) => events.at(-1)

describe('a run as events of AG-UI', () => {
  it('whatever the order of its events, @ag-ui accepts every stream', async () => {
    const given = fc.tuple(fc.oneof(event, end), fc.constantFrom('a', 'b'))
    await fc.assert(
      fc.asyncProperty(
        fc.array(given, { maxLength: 40 }),
        fc.boolean(),
        fc.option(fc.nat(20)),
        async (run, isWhole, after) => {
          const start = isWhole ? [{ type: 'run.started' }, { type: 'agent.started', agent: 'front' }] : []
          const filled = run.map(([data, agent]) => ({ agent, model: 'p/m', usage, limit: 'maxSteps', ...data }))
          const interrupted = filled.map((data) =>
            data.type === 'run.suspended' ? { approvals: [], waits: [{ waitId: 'w', kind: 'answer' }], ...data } : data,
          )
          const options = { threadId: 'chat', ...(after === null ? {} : { after }) }
          await verified(runOf([...start, ...(interrupted as never[])]), options)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('texts, reasoning, calls, their results and steps are in their order, and the tokens are counted', async () => {
    const model = script(
      [
        { type: 'reasoning.delta', id: 'r', delta: 'Hm.' },
        delta('I look. '),
        ...calls(['look', { at: 1 }], ['fail', {}]),
      ],
      says('There are 3.'),
    )
    const run = (await open({ front: model })).query({ prompt: 'Go', threadId: 'chat' })
    const events = await verified(run)
    expect(typesOf(events)).toEqual([
      'RUN_STARTED',
      'STEP_STARTED',
      'REASONING_START',
      'REASONING_MESSAGE_START',
      'REASONING_MESSAGE_CONTENT',
      'REASONING_MESSAGE_END',
      'REASONING_END',
      'TEXT_MESSAGE_START',
      'TEXT_MESSAGE_CONTENT',
      'TEXT_MESSAGE_END',
      'TOOL_CALL_START',
      'TOOL_CALL_ARGS',
      'TOOL_CALL_END',
      'TOOL_CALL_START',
      'TOOL_CALL_ARGS',
      'TOOL_CALL_END',
      'TOOL_CALL_RESULT',
      'TOOL_CALL_RESULT',
      'STEP_FINISHED',
      'STEP_STARTED',
      'TEXT_MESSAGE_START',
      'TEXT_MESSAGE_CONTENT',
      'TEXT_MESSAGE_END',
      'STEP_FINISHED',
      'RUN_FINISHED',
    ])
    expect(events[0]).toMatchObject({ threadId: 'chat', runId: run.runId, timestamp: expect.any(Number) })
    expect(lastOf(events)).toMatchObject({
      outcome: { type: 'success' },
      result: 'There are 3.',
      usage: [{ provider: 'test', model: 'front', inputTokens: 20, outputTokens: 10, totalTokens: 30 }],
    })
    expect(JSON.stringify(events)).not.toContain('hunter2')
    expect(JSON.stringify(events)).toContain('An error occurred.')
    const told = await verified(run, { onError: (error) => `told ${(error as Error).message}`, sendReasoning: false })
    expect(JSON.stringify(told)).toContain(`told ${LEAK}`)
    expect(JSON.stringify(told)).not.toContain('REASONING')
  })

  it('the client of @ag-ui has the conversation in the end', async () => {
    const runtime = await open({
      front: script([delta('I ask. '), ...calls(['look', {}], ['below', { task: 'x' }])], says('Three.')),
      below: script(calls(['look', {}]), says('Seen.')),
    })
    const run = runtime.query({ prompt: 'Go', threadId: 'chat' })
    const client = new Client(() => toAgUiEvents(run))
    await client.runAgent()
    const own = client.messages.filter(
      (message) => !('subagentRunId' in message) || message.subagentRunId === undefined,
    )
    expect(own.map(({ role, content }) => [role, content])).toEqual([
      ['assistant', 'I ask. '],
      ['tool', '{"seen":3}'],
      ['tool', 'Seen.'],
      ['assistant', 'Three.'],
    ])
    expect(own[0]).toMatchObject({ toolCalls: [{ function: { name: 'look' } }, { function: { name: 'below' } }] })
    expect(client.messages.length).toBeGreaterThan(own.length)
  })

  it('an agent that was called is a subagent of its call, and its work is told as its own', async () => {
    const runtime = await open({
      front: script(calls(['below', { task: 'x' }]), says('Done.')),
      below: script([delta('I look. '), ...calls(['look', {}])], says('Seen.')),
    })
    const events = await verified(runtime.query({ prompt: 'Go', threadId: 'chat' }))
    const started = events.find(({ type }) => type === 'SUBAGENT_STARTED')
    expect(started).toMatchObject({ name: 'below', parentToolCallId: 'call-0' })
    const at = typesOf(events).indexOf('SUBAGENT_STARTED')
    const until = typesOf(events).indexOf('SUBAGENT_FINISHED')
    const id = started?.subagentRunId
    expect(events.slice(at, until + 1).every((shown) => shown.subagentRunId === id)).toBe(true)
    expect(events.filter((shown) => shown.subagentRunId !== undefined)).toHaveLength(until + 1 - at)
  })

  it('a called agent that fails, or is cut off with its run, is no success', async () => {
    const endsOf = (events: readonly AgUiEvent[]) =>
      events.flatMap((shown) =>
        shown.type === 'SUBAGENT_FINISHED'
          ? [shown.outcome.type]
          : shown.type === 'SUBAGENT_ERROR'
            ? [shown.message]
            : [],
      )
    const models = {
      front: script(calls(['below', { task: 'x' }]), says('On.')),
      below: { stream: () => script(calls(['look', {}])).stream({} as never) },
    }
    const limited = defineRuntime({
      tenant: acme,
      agents: [front, defineSpecialist({ ...below, tools, limits: { maxSteps: 2 } } as never)],
    })
    const run = (await open(models, limited as typeof team)).query({ prompt: 'Go', threadId: 'chat' })
    const onError = (error: unknown) => (error as Error).message
    const events = await verified(run, { onError })
    expect(endsOf(events)).toEqual([expect.stringContaining('reached its limit maxSteps')])
    expect(lastOf(events)).toMatchObject({ outcome: { type: 'success' }, result: 'On.' })
    expect(endsOf(await verified(run))).toEqual(['An error occurred.'])
    // What was sent up to its end goes on with it.
    const all: RunEvent[] = []
    for await (const one of run) all.push(one)
    const ended = all.find(({ type }) => type === 'agent.completed') as RunEvent & { sequence: number }
    expect(endsOf(await verified(run, { after: ended.sequence }))).toEqual(['An error occurred.'])

    const again = { ...models, front: script(calls(['below', { task: 'x' }])) }
    const cut = (await open(again)).query({ prompt: 'Go', threadId: 'chat', limits: { maxSteps: 2 } })
    const told = await verified(cut)
    expect(endsOf(told)).toEqual(['The run has reached its limit maxSteps.'])
    expect(lastOf(told)).toMatchObject({ type: 'RUN_ERROR', code: 'LIMITED' })

    const asked = gate()
    const waits = saysHalf(asked.open)
    const cancelled = (await open({ front: script(calls(['below', { task: 'x' }])), below: waits })).query({
      prompt: 'Go',
      threadId: 'chat',
    })
    await asked.opened
    cancelled.cancel()
    expect(endsOf(await verified(cancelled))).toEqual(['The run was cancelled.'])
  })

  it.each(['approve', 'reject'] as const)(
    'a suspended run ends with its interrupts, and goes on as another run after: %s',
    async (decision) => {
      const runtime = await open({
        front: script(calls(['send', { to: 'lee' }], ['ask', { question: 'Which?' }]), says('Done.')),
      })
      const run = runtime.query({ prompt: 'Go', threadId: 'chat' })
      const first = await verified(run, { threadId: 'theirs', runId: 'run-1' })
      const [pending] = (await runtime.approvals.pending()).items
      const [wait] = (await runtime.waits.list()).items
      expect(lastOf(first)).toMatchObject({
        type: 'RUN_FINISHED',
        threadId: 'theirs',
        runId: 'run-1',
        outcome: {
          type: 'interrupt',
          interrupts: [
            {
              id: pending?.approvalId,
              reason: 'tool_call',
              toolCallId: 'call-0',
              metadata: { subject: { tool: 'send', input: { to: 'lee' } } },
            },
            {
              id: wait?.waitId,
              reason: 'input_required',
              message: 'Which?',
              toolCallId: 'call-1',
              responseSchema: { type: 'string', enum: ['red', 'blue'] },
              expiresAt: new Date(wait?.expiresAt ?? 0).toISOString(),
            },
          ],
        },
      })
      await runtime.approvals.respond(pending?.approvalId as string, { decision, actor: 'kim', reason: 'Because.' })
      await runtime.waits.settle(wait?.waitId as string, { value: 'red' })
      const resumed = runtime.runs.resume(run.runId)
      const second = await verified(resumed, { threadId: 'theirs', runId: 'run-2' })
      expect(second[0]).toMatchObject({ type: 'RUN_STARTED', runId: 'run-2' })
      const results = second.flatMap((shown) =>
        shown.type === 'TOOL_CALL_RESULT' ? [[shown.toolCallId, shown.content]] : [],
      )
      expect(results.toSorted()).toEqual([
        ['call-0', decision === 'approve' ? 'sent' : 'A person rejected this. Because.'],
        ['call-1', 'red'],
      ])
      expect(lastOf(second)).toMatchObject({ outcome: { type: 'success' }, result: 'Done.' })
      // What is read again from the beginning is both.
      const whole = await verified(runtime.runs.follow(run.runId), { threadId: 'theirs' })
      expect(typesOf(whole).filter((type) => type === 'RUN_STARTED')).toHaveLength(2)
    },
  )

  it('a subagent that waits is suspended, and goes on under its id', async () => {
    const runtime = await open({
      front: script(calls(['below', { task: 'x' }]), says('Done.')),
      below: script(calls(['send', {}]), says('Sent.')),
    })
    const run = runtime.query({ prompt: 'Go', threadId: 'chat' })
    const first = await verified(run)
    expect(first).toContainEqual(expect.objectContaining({ type: 'SUBAGENT_FINISHED', outcome: { type: 'suspended' } }))
    const [pending] = (await runtime.approvals.pending()).items
    await runtime.approvals.respond(pending?.approvalId as string, { decision: 'approve', actor: 'kim' })
    const second = await verified(runtime.runs.resume(run.runId), { threadId: 'chat' })
    const ids = [first, second].map((events) => events.find(({ type }) => type === 'SUBAGENT_STARTED')?.subagentRunId)
    expect(ids[0]).toBeDefined()
    expect(ids[0]).toBe(ids[1])
    expect(lastOf(second)).toMatchObject({ outcome: { type: 'success' } })
  })

  it('a cancelled, a failed and a limited run end as such, and no text of an error is told', async () => {
    const asked = gate()
    const waits = saysHalf(asked.open)
    const run = (await open({ front: waits })).query({ prompt: 'Go', threadId: 'chat' })
    await asked.opened
    run.cancel()
    expect(lastOf(await verified(run))).toMatchObject({ type: 'RUN_FINISHED', outcome: { type: 'cancelled' } })

    const breaks: Model = {
      stream: () => {
        throw new Error(LEAK)
      },
    }
    const failed = await verified((await open({ front: breaks })).query({ prompt: 'Go', threadId: 'chat' }))
    expect(lastOf(failed)).toMatchObject({ type: 'RUN_ERROR', message: 'An error occurred.', code: 'MODEL_FAILED' })

    const limited = (await open({ front: script(calls(['look', {}]), calls(['look', {}])) })).query({
      prompt: 'Go',
      threadId: 'chat',
      limits: { maxSteps: 1 },
    })
    expect(lastOf(await verified(limited))).toMatchObject({ type: 'RUN_ERROR', code: 'LIMITED' })

    const unreadable = async function* (): AsyncGenerator<RunEvent> {
      yield* runOf([{ type: 'run.started' }, { type: 'text.delta', messageId: 'm', delta: 'Hi' }])
      throw new Error(LEAK)
    }
    expect(lastOf(await verified(unreadable(), { threadId: 'chat' }))).toMatchObject({
      type: 'RUN_ERROR',
      message: 'An error occurred.',
      code: 'INTERNAL',
    })
  })

  it('with `after`, what was sent is not sent again', async () => {
    const runtime = await open({ front: script(calls(['look', {}]), says('Three.')) })
    const run = runtime.query({ prompt: 'Go', threadId: 'chat' })
    const whole = await verified(run)
    const all: RunEvent[] = []
    for await (const one of run) all.push(one)
    const called = all.find(({ type }) => type === 'tool.called') as RunEvent & { sequence: number }
    const rest = await verified(run, { after: called.sequence })
    expect(typesOf(rest)).not.toContain('TOOL_CALL_START')
    expect(rest.filter(({ type }) => type === 'TOOL_CALL_RESULT')).toEqual(
      whole.filter(({ type }) => type === 'TOOL_CALL_RESULT'),
    )
    expect(lastOf(rest)).toMatchObject({ result: 'Three.' })
  })

  it('what it cannot know or take is refused', async () => {
    const resumed = { [Symbol.asyncIterator]: async function* () {} } as unknown as Run
    const refused = (call: () => unknown) => {
      try {
        call()
      } catch (error) {
        return InvalidInputError.isInstance(error) ? (error as Error).message : error
      }
      return 'It was taken.'
    }
    expect(refused(() => toAgUiEvents(resumed))).toMatch(/Pass \{ threadId \}/)
    expect(refused(() => toAgUiEvents(resumed, { thread: 'x' } as never))).toMatch(/there is no option "thread"/)
    expect(await verified(resumed, { threadId: 'chat' })).toEqual([])
  })
})

/** One turn of a model in a generated run. */
const turn = fc.constantFrom<readonly ModelEvent[]>(
  [delta('I look. '), ...calls(['look', {}], ['fail', {}])],
  calls(['below', { task: 'x' }]),
  [{ type: 'reasoning.delta', id: 'r', delta: 'Hm. ' }, delta('So. '), ...calls(['send', {}], ['look', {}])],
  calls(['ask', { question: 'Which?' }]),
  calls(['unknown', {}]),
)

describe('generated runs as events of AG-UI', () => {
  it('each is accepted, live, after each decision and read again, and ends with its answer', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(turn, { maxLength: 4 }), fc.array(turn, { maxLength: 2 }), async (turns, inner) => {
        const runtime = await open({
          front: script(...turns, says('Done.')),
          below: { stream: looping(inner.filter((one) => !JSON.stringify(one).includes('"below"'))) },
        })
        const run = runtime.query({ prompt: 'Go', threadId: 'chat' })
        let events = await verified(run)
        for (let current = await run.result(); current.status === 'suspended'; ) {
          expect(lastOf(events)).toMatchObject({ outcome: { type: 'interrupt' } })
          for (const { approvalId } of current.approvals) {
            await runtime.approvals.respond(approvalId, { decision: 'approve', actor: 'kim' })
          }
          for (const { waitId } of current.waits) await runtime.waits.settle(waitId, { value: 'red' })
          const next = runtime.runs.resume(run.runId)
          events = await verified(next, { threadId: 'chat' })
          current = (await next.result()) as typeof current
        }
        expect(lastOf(events)).toMatchObject({ type: 'RUN_FINISHED', result: 'Done.', outcome: { type: 'success' } })
        const whole = await verified(runtime.runs.follow(run.runId), { threadId: 'chat' })
        const started = whole.flatMap((one) => (one.type === 'TOOL_CALL_START' ? [one.toolCallId] : []))
        const results = whole.flatMap((one) => (one.type === 'TOOL_CALL_RESULT' ? [one.toolCallId] : []))
        expect(results.toSorted()).toEqual(started.toSorted())
        await runtime.close()
      }),
      { numRuns: 40 },
    )
  })
})

/** A model that takes these turns and answers, again and again. */
function looping(turns: readonly (readonly ModelEvent[])[]): Model['stream'] {
  let at = 0
  return async function* () {
    const events = turns[at]
    at = events === undefined ? 0 : at + 1
    yield* events ?? says('Below.')
  }
}
