import { readUIMessageStream, type UIMessage } from 'ai'
import { toUIMessageStream } from 'bailiwick/ai-sdk'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { RunEvent } from '../../ts/index.ts'

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
  fc.record({ type: fc.constant('approval.requested'), approval: fc.record({ approvalId: callId }) }),
  fc.record({ type: fc.constant('approval.decided'), record: fc.record({ approvalId: callId, decision: delta }) }),
)

/** The run as `ai` shows it in the end; rejects if `ai` finds anything wrong with the stream. */
async function shown(events: readonly object[]): Promise<UIMessage | undefined> {
  const run = async function* () {
    for (const [sequence, data] of events.entries()) {
      yield { runId: 'run-1', at: 0, sequence, after: sequence - 1, ...data } as unknown as RunEvent
    }
  }
  let last: UIMessage | undefined
  const stream = toUIMessageStream(run())
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
