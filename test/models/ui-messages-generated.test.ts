import { readUIMessageStream, type UIMessage } from 'ai'
import { toUIMessageStream } from 'bailiwick/ai-sdk'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { RunEvent } from '../../ts/index.ts'
import { chunksOf, refusedChunks } from './ui-support.ts'

const messageId = fc.constantFrom('m1', 'm2', 'm3')
const callId = fc.constantFrom('c1', 'c2')
const delta = fc.string({ maxLength: 3 })
const event = fc.oneof(
  fc.record({ type: fc.constantFrom('text.delta', 'reasoning.delta'), messageId, delta }),
  fc.record({
    type: fc.constantFrom('model.completed', 'agent.started', 'agent.completed', 'something.new'),
    finishReason: fc.constantFrom('stop', 'tool-calls'),
  }),
  fc.record({ type: fc.constant('tool.called'), callId, tool: fc.constantFrom('a', 'b'), input: fc.jsonValue() }),
  fc.record({ type: fc.constant('tool.completed'), callId, result: fc.jsonValue() }),
  fc.record({ type: fc.constant('tool.failed'), callId, error: fc.record({ message: delta }) }),
  fc.record({ type: fc.constant('plan.saved'), planId: callId, version: fc.nat(3), hash: delta }),
  fc.record(
    {
      type: fc.constant('approval.requested'),
      callId,
      approval: fc.record({
        approvalId: callId,
        subject: fc.record({ tool: fc.constantFrom('a', 'b'), input: fc.jsonValue() }),
      }),
    },
    { requiredKeys: ['type', 'approval'] },
  ),
  fc.record({ type: fc.constant('approval.decided'), record: fc.record({ approvalId: callId, decision: delta }) }),
  fc.record({
    type: fc.constant('tool.waiting'),
    callId,
    wait: fc.record({ waitId: callId, callId, question: delta }),
  }),
  fc.record({
    type: fc.constant('wait.settled'),
    record: fc.record({ waitId: callId, status: delta, value: fc.jsonValue() }),
  }),
  fc.record({
    type: fc.constantFrom('prompt.received', 'tool.resumed', 'message.discarded'),
    callId,
    messageId,
    from: callId,
  }),
)

/** An event of a run, without what all have. */
type GivenEvent = { readonly type: string; readonly [field: string]: unknown }

async function* runOf(events: readonly GivenEvent[]): AsyncGenerator<RunEvent> {
  let sequence = -1
  for (const data of events) {
    const isJournaled = !data.type.endsWith('.delta') && data.type !== 'message.discarded'
    if (isJournaled) sequence += 1
    const place = isJournaled ? { sequence } : { after: sequence }
    yield { runId: 'run-1', at: 0, ...place, ...data } as unknown as RunEvent
  }
}

/** The run as `ai` shows it in the end; rejects if `ai` finds anything wrong with the stream. */
async function shown(events: readonly GivenEvent[]): Promise<UIMessage | undefined> {
  let last: UIMessage | undefined
  const stream = toUIMessageStream(runOf(events))
  for await (const message of readUIMessageStream({ stream, terminateOnError: true })) last = message
  return last
}

test('whatever the order of a run’s events, useChat can read them, and nothing that was written is lost', async () => {
  const runs = fc.array(event, { maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(runs, fc.string(), async (events, answer) => {
      const message = await shown([...events, { type: 'run.completed', text: answer }])
      const written = (kind: 'text' | 'reasoning') =>
        events.flatMap((given) => (given.type === `${kind}.delta` && 'delta' in given ? [given.delta] : [])).join('')
      const parts = message?.parts ?? []
      const read = (kind: 'text' | 'reasoning') =>
        parts.flatMap((part) => (part.type === kind ? [part.text] : [])).join('')
      expect(read('reasoning').length).toBe(written('reasoning').length)
      expect(read('text').length).toBeGreaterThanOrEqual(written('text').length)
      expect(read('text').endsWith(answer)).toBe(true)
      expect(parts.every((part) => !('text' in part) || part.state === 'done')).toBe(true)
    }),
    { numRuns: 500 },
  )
})

const end = fc.oneof(
  fc.record({ type: fc.constant('run.completed'), text: fc.string() }),
  fc.record({ type: fc.constantFrom('run.suspended', 'run.limited', 'run.cancelled', 'run.steered') }),
  fc.record({ type: fc.constant('run.failed'), error: fc.record({ code: delta, message: delta }) }),
)

test('every chunk is one that AI SDK 6 and 7 know, and AI SDK 5 with approvals as data', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 30 }), end, async (events, last) => {
      const run = [...events, last]
      const chunks = await chunksOf(runOf(run))
      expect(await refusedChunks(chunks, ['ai', 'ai-v7'])).toEqual([])
      const plain = await chunksOf(runOf(run), { approvals: 'data' })
      expect(await refusedChunks(plain, ['ai', 'ai-v5', 'ai-v7'])).toEqual([])
      // What has a sequence is shown up to it.
      const sequences = chunks.flatMap(({ type, data }) => (type === 'data-sequence' ? [data] : []))
      const told = sequences.map((data) => (data as { readonly sequence: number }).sequence)
      expect(told).toEqual(told.toSorted((a, b) => a - b))
      expect(new Set(told).size).toBe(told.length)
    }),
    { numRuns: 300 },
  )
})
