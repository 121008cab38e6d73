import { describe, expect, it } from 'vitest'
import { createRuntime, defineTool, InvalidInputError, type Tool } from '../../ts/index.ts'
import { openFresh } from '../support/stores.ts'
import { callOnce, object as input } from './call-once.ts'
import { calls, gate, says, script } from './models.ts'
import { specOf } from './specs.ts'

describe('a tool with retry', () => {
  const retry = { attempts: 3, backoffMs: 1, maxBackoffMs: 2 }
  const failing = (error: unknown) => () => {
    throw error
  }
  const never = () => new Promise(() => {})

  /** Makes a call whose handler does this in turn, the last of it for ever. Returns the keys of the attempts. */
  async function attempts(turns: (() => unknown)[], tool: Partial<Tool> = {}) {
    const keys: string[] = []
    const handler = (_: unknown, { idempotencyKey }: { idempotencyKey: string }) => {
      keys.push(idempotencyKey)
      return turns[Math.min(keys.length, turns.length) - 1]?.()
    }
    return { ...(await callOnce(handler, { retry, ...tool })), keys }
  }

  const busy = Object.assign(new Error('busy'), { retryable: true })
  const last = Object.assign(new Error('last'), { retryable: true })
  const retryAfter = (retryAfterMs: number) => Object.assign(new Error('busy'), { retryable: true, retryAfterMs })
  it.each([
    ['succeeds at last', [failing(busy), failing(last), () => 'done'], {}, 3, undefined],
    ['fails with the last error', [failing(busy), failing(busy), failing(last), () => 'done'], {}, 3, 'last'],
    ['succeeds at once', [() => 'done'], {}, 1, undefined],
    ['does not answer in time', [never, () => 'done'], { timeoutMs: 5 }, 2, undefined],
    ['never answers in time', [never], { timeoutMs: 5 }, 3, 'The tool did not answer within 5 ms.'],
    ['writes, and never answers in time', [never], { timeoutMs: 5, effects: 'write' }, 1, 'within 5 ms.'],
    ['must not be retried', [failing(Object.assign(new Error('no'), { retryable: false }))], {}, 1, 'no'],
    ['does not say whether it may pass', [failing(new Error('no'))], {}, 1, 'no'],
    ['says it in other words', [failing(Object.assign(new Error('no'), { retryable: 'true' }))], {}, 1, 'no'],
    ['is told when', [failing(retryAfter(2)), () => 'done'], {}, 2, undefined],
    ['is told too late a time', [failing(retryAfter(3)), () => 'done'], {}, 1, 'busy'],
    ['fails in this package', [failing(new InvalidInputError('wrong'))], {}, 1, 'wrong'],
    ['gives no JSON', [() => new Map()], {}, 1, 'a Map'],
    ['gives what its schema refuses', [() => 5], { output: { type: 'string' } }, 1, 'output schema'],
    ['may be called once', [failing(busy)], { retry: { attempts: 1 } }, 1, 'busy'],
    ['has no retry', [failing(busy)], { retry: undefined }, 1, 'busy'],
    ['writes', [failing(busy), () => 'done'], { effects: 'write' }, 2, undefined],
  ] as [string, (() => unknown)[], Partial<Tool>, number, string | undefined][])(
    'a handler that %s is called as often as it must be',
    async (_, turns, tool, count, message) => {
      const outcome = await attempts(turns, tool)
      expect(outcome.keys).toHaveLength(count)
      expect(new Set(outcome.keys).size).toBe(1)
      expect(outcome.message).toContain(message ?? '')
      expect(outcome.part.isError).toBe(message === undefined ? undefined : true)
      expect(outcome.events.filter(({ type }) => type === 'tool.called')).toHaveLength(1)
      const retried = outcome.events.filter((event) => event.type === 'tool.retried')
      expect(retried.map(({ attempt }) => attempt)).toEqual(Array.from({ length: count - 1 }, (_, at) => at + 1))
      for (const { callId, error, delayMs } of retried) {
        expect([callId, /^(busy|last|The tool did not answer)/.test(error.message), delayMs <= 2]).toEqual([
          'call-0',
          true,
          true,
        ])
      }
    },
  )

  it('a run that is cancelled or out of time ends in the pause', async () => {
    const long = { attempts: 9, backoffMs: 600_000, maxBackoffMs: 600_000 }
    const act = defineTool({ name: 'act', description: 'Acts', input, retry: long })
    const runtime = await createRuntime(specOf('acme', [act]), {
      store: await openFresh('memory'),
      models: { test: script(calls(['act', {}]), calls(['act', {}]), says('Done.')) },
      tools: { act: failing(busy) } as never,
      onError: () => failed.open(),
    })
    let failed = gate()
    const cancelled = runtime.query('Go')
    await failed.opened
    cancelled.cancel()
    expect((await cancelled.result()).status).toBe('cancelled')
    failed = gate()
    const limited = await runtime.query({ prompt: 'Go', limits: { maxDurationMs: 20 } }).result()
    expect(limited).toMatchObject({ status: 'limited', limit: 'maxDurationMs' })
  })
})
