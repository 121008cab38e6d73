import { describe, expect, it } from 'vitest'
import { createRuntime, defineRuntime, defineSpecialist, defineTool, type RunEvent } from '../../ts/index.ts'
import { engines, openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { calls, says, script } from './models.ts'

const RESULTS = 15
const BYTES = 100_000

const input = { type: 'object', properties: { step: { type: 'number' } } } as const
const read = defineTool({ name: 'read', description: 'Reads', input, effects: 'read' })
const act = defineTool({ name: 'act', description: 'Acts', input, approval: 'always' })
const spec = defineRuntime({
  tenant: acme,
  agents: [defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.', tools: [read, act] })],
})

/** A text whose glimpse is as large as glimpses get. */
function text(step: number): string {
  return `${step} `.padEnd(BYTES, 'What a model is shown of it. ')
}

describe.each(engines)('a suspended run on %s', (engine) => {
  it('after 1.5 MB of results it takes 16 KB beyond them, and its model is shown their glimpses again', async () => {
    const store = await openFresh(engine)
    const steps = Array.from({ length: RESULTS }, (_, step) => calls(['read', { step }]))
    const model = script(...steps, calls(['act', { step: RESULTS }]), says('Done.'))
    const options = {
      store,
      models: { test: model },
      tools: { read: (given: unknown) => text((given as { step: number }).step), act: () => 'acted' },
    }
    const runtime = await createRuntime(spec, options)
    const run = runtime.query('go')
    const result = await run.result()
    expect(result).toMatchObject({ status: 'suspended' })
    const { storage } = await runtime.usage()
    const bytes = Object.values(storage).reduce((sum, kind) => sum + kind.bytes, 0)
    expect(storage.references.bytes).toBe(RESULTS * BYTES)
    // Its thread has what was said, with the glimpses, as it would have it at the end: that is not the run's.
    expect(bytes - storage.threads.bytes - RESULTS * BYTES).toBeLessThanOrEqual(16 * 1024)
    expect(storage.threads.bytes).toBeLessThanOrEqual(RESULTS * 2048)

    const shown = model.requests.at(-1)?.messages
    const other = await createRuntime(spec, options)
    const events: RunEvent[] = []
    for await (const event of other.runs.follow(run.runId)) {
      events.push(event)
      if (event.type === 'run.suspended') break
    }
    const results = events.flatMap((event) => (event.type === 'tool.completed' ? [event.result] : []))
    expect(results).toEqual(
      shown?.flatMap(({ parts }) => parts.flatMap((part) => (part.type === 'tool-result' ? [part.result] : []))),
    )
    expect(results[0]).toMatchObject({ byteLength: BYTES, glimpse: { characters: BYTES } })
    for (const { approvalId } of result.status === 'suspended' ? result.approvals : []) {
      await other.approvals.respond(approvalId, { decision: 'approve', actor: 'kim' })
    }
    expect(await other.runs.resume(run.runId).result()).toMatchObject({ status: 'completed', text: 'Done.' })
    expect(model.requests.at(-1)?.messages.slice(0, shown?.length)).toEqual(shown)
  })
})
