// Runs that no loop would make: events in any order, which a stream must survive.
import fc from 'fast-check'
import type { RunEvent } from '../../ts/index.ts'

const messageId = fc.constantFrom('m1', 'm2', 'm3')
const callId = fc.constantFrom('c1', 'c2')
const delta = fc.string({ maxLength: 3 })
/** Any event in the middle of a run. */
export const event = fc.oneof(
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
export type GivenEvent = { readonly type: string; readonly [field: string]: unknown }

/** The events of a run, each with what all have. */
export async function* runOf(events: readonly GivenEvent[]): AsyncGenerator<RunEvent> {
  let sequence = -1
  for (const data of events) {
    const isJournaled = !data.type.endsWith('.delta') && data.type !== 'message.discarded'
    if (isJournaled) sequence += 1
    const place = isJournaled ? { sequence } : { after: sequence }
    yield { runId: 'run-1', at: 0, ...place, ...data } as unknown as RunEvent
  }
}

/** The last event of a run. */
export const end = fc.oneof(
  fc.record({ type: fc.constant('run.completed'), text: fc.string() }),
  fc.record({ type: fc.constantFrom('run.suspended', 'run.limited', 'run.cancelled', 'run.steered') }),
  fc.record({ type: fc.constant('run.failed'), error: fc.record({ code: delta, message: delta }) }),
)
