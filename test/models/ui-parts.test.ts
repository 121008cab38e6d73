import type { UIMessage } from 'ai'
import { toUIMessages } from 'bailiwick/ai-sdk'
import { describe, expect, it } from 'vitest'
import {
  createRuntime,
  defineCoordinator,
  defineQuestion,
  defineRuntime,
  defineSpecialist,
  defineTool,
  type Model,
  type Runtime,
  waitFor,
} from '../../ts/index.ts'
import { calls, says, script } from '../loop/models.ts'
import { openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { chunksOf, refusedChunks, reloadable, reloaded, shown } from './ui-support.ts'

const input = { type: 'object' } as const
const send = defineTool({ name: 'send', description: 'Sends', input, approval: 'always' })
const look = defineTool({ name: 'look', description: 'Looks', input, effects: 'read' })
const hook = defineTool({ name: 'hook', description: 'Waits for a webhook', input })
const ask = defineQuestion({ name: 'ask', description: 'Asks', answer: { type: 'string' } })
const tools = [send, look, hook, ask]
const below = defineSpecialist({ name: 'below', model: 'test/below', prompt: 'x', tools })
const front = defineCoordinator({ name: 'front', model: 'test/front', prompt: 'x', tools, routes: ['below'] })
const team = defineRuntime({ tenant: acme, agents: [front, below] })

async function open(models: { readonly front: Model; readonly below?: Model }): Promise<Runtime> {
  const stream: Model['stream'] = (request) => {
    const model = request.modelId === 'front' ? models.front : (models.below ?? script())
    return model.stream(request)
  }
  return (await createRuntime(team, {
    store: await openFresh('memory'),
    models: { test: { stream } },
    tools: {
      send: () => 'sent',
      look: () => 'seen',
      hook: (_, { resumed }) =>
        resumed === undefined
          ? waitFor.event({ name: 'paid' })
          : `it was ${resumed.error === undefined ? 'paid' : 'refused'}`,
    },
  })) as unknown as Runtime
}

/** The part of a message that shows a call, and what data there is of another type. */
const partOf = (message: UIMessage | undefined, type: string) => message?.parts.find((part) => part.type === type)

async function decide(runtime: Runtime, decision: 'approve' | 'reject') {
  const [pending] = (await runtime.approvals.pending()).items
  await runtime.approvals.respond(pending?.approvalId as string, { decision, actor: 'kim', reason: 'Because.' })
  return pending
}

describe('what waits for a person, in the parts of the AI SDK', () => {
  it.each(['approve', 'reject'] as const)(
    'a call asks for its approval in its own part, and goes on there after: %s',
    async (decision) => {
      const runtime = await open({ front: script(calls(['send', { to: 'lee' }]), says('Done.')) })
      const run = runtime.query('Go')
      const first = await shown(run)
      expect(first.errors).toEqual([])
      const pending = await decide(runtime, decision)
      expect(partOf(first.message, 'tool-send')).toMatchObject({
        state: 'approval-requested',
        approval: { id: pending?.approvalId },
        input: { to: 'lee' },
      })
      expect(partOf(first.message, 'data-approval')).toMatchObject({ data: { subject: { input: { to: 'lee' } } } })
      const second = await shown(runtime.runs.resume(run.runId), {}, first.message)
      expect(second.errors).toEqual([])
      expect(partOf(second.message, 'tool-send')).toMatchObject(
        decision === 'approve'
          ? { state: 'output-available', output: 'sent' }
          : { state: 'output-error', errorText: 'A person rejected this. Because.' },
      )
      expect(reloadable(second.message)).toEqual(reloadable(await reloaded(runtime, run.threadId as string)))
      // Without the message, it is all there once more.
      expect(reloadable((await shown(runtime.runs.follow(run.runId))).message)).toEqual(reloadable(second.message))
    },
  )

  it('no part asks for the approval of a call of an agent that was called', async () => {
    const runtime = await open({
      front: script(calls(['below', { task: 'send' }]), says('Done.')),
      below: script(calls(['send', { to: 'lee' }]), says('Sent.')),
    })
    const run = runtime.query('Go')
    const chunks = await chunksOf(run)
    expect(chunks.map(({ type }) => type)).not.toContain('tool-approval-request')
    expect(chunks).toContainEqual(
      expect.objectContaining({
        type: 'data-approval',
        data: expect.objectContaining({ subject: { tool: 'send', input: { to: 'lee' } } }),
      }),
    )
    expect(await refusedChunks(chunks, ['ai', 'ai-v5', 'ai-v7'])).toEqual([])
  })

  it('a question and an event wait in the part of their call, with their details, and are settled there', async () => {
    const runtime = await open({
      front: script(calls(['ask', { question: 'Which one?' }], ['hook', {}]), says('Both.')),
    })
    const run = runtime.query('Go')
    const first = await shown(run)
    for (const tool of ['ask', 'hook'])
      expect(partOf(first.message, `tool-${tool}`)).toMatchObject({ state: 'input-available' })
    const { items } = await runtime.waits.list()
    const waits = first.message.parts.filter(({ type }) => type === 'data-wait')
    expect(waits).toHaveLength(2)
    for (const wait of items) {
      const { waitId, kind, callId } = wait
      expect(waits).toContainEqual(
        expect.objectContaining({
          id: waitId,
          data: expect.objectContaining({ waitId, kind, callId, status: 'open' }),
        }),
      )
      const outcome = kind === 'answer' ? { value: 'The red one.' } : { error: { code: 'CARD', message: 'hunter2' } }
      await runtime.waits.settle(waitId, outcome, { actor: 'kim' })
    }
    const second = await shown(runtime.runs.resume(run.runId), {}, first.message)
    expect(second.errors).toEqual([])
    expect(partOf(second.message, 'tool-ask')).toMatchObject({ state: 'output-available', output: 'The red one.' })
    expect(partOf(second.message, 'tool-hook')).toMatchObject({ state: 'output-available', output: 'it was refused' })
    expect(JSON.stringify(second.message)).not.toContain('hunter2')
    expect(second.message.parts.filter(({ type }) => type === 'data-wait')).toEqual(
      waits.map((part) => ({ ...part, data: expect.objectContaining({ status: 'settled' }) })),
    )
    expect(reloadable(second.message)).toEqual(reloadable(await reloaded(runtime, run.threadId as string)))
  })

  it('what a run waited for that was cancelled is shown as closed', async () => {
    const runtime = await open({ front: script(calls(['send', { to: 'lee' }], ['ask', { question: 'Which one?' }])) })
    const run = runtime.query('Go')
    const first = await shown(run)
    expect(partOf(first.message, 'data-approval')).toMatchObject({ data: { status: 'pending' } })
    expect(partOf(first.message, 'data-wait')).toMatchObject({ data: { status: 'open' } })
    await runtime.runs.cancel(run.runId)
    const { message, errors } = await shown(runtime.runs.follow(run.runId))
    expect(errors).toEqual([])
    const [wait, approval] = [partOf(message, 'data-wait'), partOf(message, 'data-approval')] as { id: string }[]
    expect(wait).toMatchObject({ data: { question: 'Which one?', status: 'cancelled' } })
    expect(approval).toMatchObject({ data: { subject: { tool: 'send' }, status: 'withdrawn' } })
    expect((await runtime.waits.get(wait?.id ?? '')).status).toBe('cancelled')
    expect((await runtime.approvals.get(approval?.id ?? '')).status).toBe('withdrawn')
  })
})

describe('what waits, after a reload', () => {
  /** The parts of the last answers of a thread, as a page shows it that was loaded anew. */
  async function loaded(runtime: Runtime, threadId: string) {
    const { items } = await runtime.threads.messages(threadId)
    const [approvals, waits] = await Promise.all([runtime.approvals.pending(), runtime.waits.list()])
    return toUIMessages(items, { approvals: approvals.items, waits: waits.items })
  }

  it('it is shown as it was live, in the call of its run alone', async () => {
    const asked = calls(['send', { to: 'lee' }], ['send', { to: 'kim' }], ['hook', {}])
    const runtime = await open({ front: script(asked, asked) })
    const [run, other] = [
      runtime.query({ prompt: 'Go', threadId: 'a' }),
      runtime.query({ prompt: 'Go', threadId: 'b' }),
    ]
    for (const each of [run, other]) {
      const { message } = await shown(each)
      const parts = (await loaded(runtime, each.threadId as string)).at(-1)?.parts ?? []
      const nameOf = (part: { type?: string; id?: string; toolCallId?: string }) =>
        `${part.type} ${part.id ?? part.toolCallId}`
      const sorted = (given: readonly object[]) => given.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
      expect(sorted(parts)).toEqual(sorted(JSON.parse(JSON.stringify(message.parts))))
      expect(parts.filter((part) => 'state' in part && part.state === 'approval-requested')).toHaveLength(2)
    }
    // What was decided is not asked any more.
    await decide(runtime, 'approve')
    const messages = [...(await loaded(runtime, 'a')), ...(await loaded(runtime, 'b'))]
    const states = messages.flatMap(({ parts }) => parts.flatMap((part) => ('state' in part ? [part.state] : [])))
    expect(states.filter((state) => state === 'approval-requested')).toHaveLength(3)
  })

  it('so is what agents wait for that were called, in the answer of their run', async () => {
    const runtime = await open({
      front: script(calls(['below', { task: 'x' }]), calls(['below', { task: 'y' }])),
      below: script(calls(['send', { to: 'lee' }], ['hook', {}]), calls(['send', { to: 'kim' }])),
    })
    const [run, other] = [
      runtime.query({ prompt: 'Go', threadId: 'a' }),
      runtime.query({ prompt: 'Go', threadId: 'b' }),
    ]
    await Promise.all([run.result(), other.result()])
    for (const each of [run, other]) {
      const { message } = await shown(each)
      const answer = (await loaded(runtime, each.threadId as string)).at(-1)
      const waiting = (given: { parts: readonly { type: string }[] } | undefined) =>
        (given?.parts ?? [])
          .filter(({ type }) => type === 'data-approval' || type === 'data-wait')
          .map((part) => JSON.stringify(part))
          .toSorted()
      expect(answer?.id).toBe(each.runId)
      expect(waiting(answer).length).toBeGreaterThan(0)
      expect(waiting(answer)).toEqual(waiting(message))
      expect(JSON.stringify(answer?.parts)).not.toContain('approval-requested')
    }
    await decide(runtime, 'approve')
    await decide(runtime, 'approve')
    expect(JSON.stringify(await loaded(runtime, 'a'))).not.toContain('data-approval')
  })

  it('so is a call that a completed run has left', async () => {
    const runtime = await open({ front: script(calls(['send', { to: 'lee' }]), says('Soon.')) })
    await runtime.query({ prompt: 'Go', threadId: 'chat' }).result()
    await runtime.query({ prompt: 'When?', threadId: 'chat', whenBusy: 'steer' }).result()
    const [pending] = (await runtime.approvals.pending()).items
    const messages = await loaded(runtime, 'chat')
    expect(messages[1]?.parts).toContainEqual(
      expect.objectContaining({
        type: 'tool-send',
        state: 'approval-requested',
        approval: { id: pending?.approvalId },
      }),
    )
    expect(messages).toHaveLength(4)
  })
})

describe('the sequence in a stream', () => {
  it('a message that stands as it was at any of them goes on after it, and is the same in the end', async () => {
    const runtime = await open({
      front: script(calls(['look', {}], ['below', { task: 'look' }]), calls(['look', {}]), says('Three.')),
      below: script(calls(['look', {}]), says('Seen.')),
    })
    const run = runtime.query('Go')
    const whole = await shown(run)
    const chunks = await chunksOf(run)
    const told = chunks.flatMap(({ type, data }) => (type === 'data-sequence' ? [data as { sequence: number }] : []))
    expect(told.length).toBeGreaterThan(5)
    for (const { sequence } of told) {
      const events = runtime.runs.follow(run.runId)
      const before = await shown(
        (async function* () {
          for await (const event of events) {
            if ('sequence' in event ? event.sequence > sequence : event.after >= sequence) return
            yield event
          }
        })(),
      )
      // A text that stands there is over.
      for (const part of before.message.parts) if (part.type === 'text') part.state = 'done'
      const after = await shown(runtime.runs.follow(run.runId), { after: sequence }, before.message)
      expect([sequence, after.errors]).toEqual([sequence, []])
      expect([sequence, reloadable(after.message ?? before.message)]).toEqual([sequence, reloadable(whole.message)])
    }
  })

  it('it comes to the page and is no part of the message', async () => {
    const runtime = await open({ front: script(says('Hi.')) })
    const { message } = await shown(runtime.query('Go'))
    expect(message.parts.map(({ type }) => type)).toEqual(['step-start', 'text'])
  })
})
