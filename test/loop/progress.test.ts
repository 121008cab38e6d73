import { describe, expect, it } from 'vitest'
import { createRuntime, defineTool, InvalidInputError, type RunEvent, type ToolContext } from '../../ts/index.ts'
import { openFresh } from '../support/stores.ts'
import { calls, gate, says, script } from './models.ts'
import { specOf } from './specs.ts'

const act = defineTool({ name: 'act', description: 'Acts', effects: 'read', input: { type: 'object' } })
const progressOf = (events: readonly RunEvent[]) =>
  events.flatMap((event) => (event.type === 'tool.progress' ? [event.value] : []))

/** A run of one call of a handler, which a consumer sees event by event. */
async function runOf(handler: (input: unknown, context: ToolContext) => unknown, tool = act) {
  const runtime = await createRuntime(specOf('acme', [tool]), {
    store: await openFresh('memory'),
    models: { test: script(calls(['act', {}]), says('Done.')) },
    tools: { act: handler } as never,
  })
  return { runtime, run: runtime.query('Go') }
}

describe.each(['read', 'write'] as const)('the progress of a %s call', (effects) => {
  const tool = defineTool({ name: 'act', description: 'Acts', effects, input: { type: 'object' } })

  it('reaches followers after its call and before its result, and is not stored', async () => {
    const [first, second] = [gate(), gate()]
    const { runtime, run } = await runOf(async (_, { progress }) => {
      progress({ done: 1 })
      await first.opened
      progress({ done: 2, text: 'é' })
      await second.opened
      return 'ok'
    }, tool)
    const events: RunEvent[] = []
    for await (const event of run) {
      events.push(event)
      if (event.type !== 'tool.progress') continue
      if (progressOf(events).length === 1) first.open()
      else second.open()
    }
    expect(progressOf(events)).toEqual([{ done: 1 }, { done: 2, text: 'é' }])
    const kinds = events.map(({ type }) => type).filter((type) => type.startsWith('tool.'))
    expect(kinds).toEqual(['tool.called', 'tool.progress', 'tool.progress', 'tool.completed'])
    const called = events.find((event) => event.type === 'tool.called')
    expect(events.find((event) => event.type === 'tool.progress')).toMatchObject({
      runId: run.runId,
      agent: 'one',
      callId: 'call-0',
      after: called?.sequence,
    })
    const later: RunEvent[] = []
    for await (const event of runtime.runs.follow(run.runId)) later.push(event)
    expect(progressOf(later)).toEqual([])
    expect((await runtime.traces.list({ runId: run.runId })).items.map(({ type }) => type)).not.toContain(
      'tool.progress',
    )
  })
})

it('what a handler says at once is merged, and a late follower gets the last', async () => {
  const [told, end] = [gate(), gate()]
  const { runtime, run } = await runOf(async (_, { progress }) => {
    for (let at = 0; at < 1000; at += 1) progress(at)
    told.open()
    await end.opened
    for (let at = 0; at < 1000; at += 1) progress(at)
  })
  await told.opened
  const seen: unknown[] = []
  for await (const event of runtime.runs.follow(run.runId)) {
    if (event.type !== 'tool.progress') continue
    seen.push(event.value)
    end.open()
  }
  expect(seen[0]).toBe(999)
  expect(seen.length).toBeLessThanOrEqual(2)
})

it('a generator shows what it yields, but for what cannot be shown', async () => {
  const seen = gate()
  const { run } = await runOf(async function* () {
    yield new Map()
    yield 'x'.repeat(70_000)
    yield 'half'
    await seen.opened
    return 'whole'
  })
  const events: RunEvent[] = []
  for await (const event of run) {
    events.push(event)
    if (event.type === 'tool.progress') seen.open()
  }
  expect(progressOf(events)).toEqual(['half'])
})

it('a progress that cannot be shown is refused with what to do, and one after the call does nothing', async () => {
  const errors: unknown[] = []
  let late: ToolContext['progress'] = () => {}
  const { run } = await runOf((_, { progress }) => {
    late = progress
    for (const value of [new Map(), () => 1, 'x'.repeat(64 << 10), 1n]) {
      try {
        progress(value)
      } catch (error) {
        errors.push(error)
      }
    }
    return 'ok'
  })
  const events: RunEvent[] = []
  for await (const event of run) events.push(event)
  expect(errors).toHaveLength(4)
  for (const error of errors) expect(error).toBeInstanceOf(InvalidInputError)
  expect((errors[2] as Error).message).toContain('context.references.put')
  late('too late')
  await new Promise((resolve) => setImmediate(resolve))
  expect(progressOf(events)).toEqual([])
})
