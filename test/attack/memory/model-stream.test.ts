import { describe, expect, it } from 'vitest'
import { createRuntime, type Model, type ModelEvent } from '../../../ts/index.ts'
import { specOf } from '../../loop/specs.ts'
import { openFresh } from '../../support/stores.ts'

const EVENTS_AT_ONCE = (64 << 10) / 64
/** What the core takes of one answer, in bytes of events. */
const MOST_EVENTS = (64 << 20) / 64

/** A model that has everything at hand, and how much was asked of it. */
function streaming(event: (index: number) => unknown): { model: Model; said(): number } {
  let count = 0
  const model: Model = {
    async *stream() {
      for (;;) {
        yield event(count) as ModelEvent
        count += 1
      }
    },
  }
  return { model, said: () => count }
}

describe('a model whose events are all at hand', () => {
  it.each<readonly [string, (index: number) => unknown]>([
    ['empty deltas of one id', () => ({ type: 'text.delta', id: 't', delta: '' })],
    ['deltas of distinct ids', (index) => ({ type: 'reasoning.delta', id: `${index}`, delta: 'x' })],
    ['long deltas', () => ({ type: 'text.delta', id: 't', delta: 'x'.repeat(100_000) })],
    ['metadata alone', () => ({ type: 'text.delta', id: 't', delta: '', metadata: { m: 'x'.repeat(1000) } })],
    ['calls', (index) => ({ type: 'tool.call', callId: `${index}`, tool: 'look', input: '{}' })],
    ['what is no event', () => undefined],
  ])('%s: other work gets its turns, and it is stopped at the limit', async (_, event) => {
    const { model, said } = streaming(event)
    let mostAtOnce = 0
    let before = 0
    const count = () => {
      mostAtOnce = Math.max(mostAtOnce, said() - before)
      before = said()
    }
    const turn = () => {
      count()
      timer = setImmediate(turn)
    }
    let timer = setImmediate(turn)
    const runtime = await createRuntime(specOf('acme'), {
      store: await openFresh('memory'),
      models: { test: model },
      tools: { look: () => 'x' },
    })
    const result = await runtime.query('Go').result()
    clearImmediate(timer)
    count()
    expect(result).toMatchObject({ status: 'failed', error: { code: 'MODEL_FAILED', retryable: false } })
    expect(mostAtOnce).toBeLessThanOrEqual(EVENTS_AT_ONCE + 1)
    expect(said()).toBeLessThanOrEqual(MOST_EVENTS)
  })
})
