import {
  createRuntime,
  defineTool,
  type ErrorSource,
  type RunEvent,
  type RuntimeOptions,
  type Tool,
} from '../../ts/index.ts'
import { openFresh } from '../support/stores.ts'
import { calls, says, script } from './models.ts'
import { specOf } from './specs.ts'

export const object = { type: 'object' } as const

interface Told {
  readonly error: unknown
  readonly about: ErrorSource
}

/** What one call of a tool comes to, as the model is told, and what the host was told. */
export async function callOnce(handler: unknown, tool: Partial<Tool> = {}, options: Partial<RuntimeOptions> = {}) {
  const told: Told[] = []
  const act = defineTool({ name: 'act', description: 'Acts', effects: 'read', ...tool, input: object } as never)
  const model = script(calls(['act', {}]), says('Done.'))
  const runtime = await createRuntime(specOf('acme', [act]), {
    store: await openFresh('memory'),
    models: { test: model },
    tools: { act: handler } as never,
    onError: (error, about) => told.push({ error, about }),
    ...options,
  } as RuntimeOptions)
  const run = runtime.query('Go')
  const result = await run.result()
  const events: RunEvent[] = []
  for await (const event of run) events.push(event)
  const part = model.requests[1]?.messages.at(-1)?.parts[0] as {
    result: { error?: { code: string; message: string } }
    isError?: boolean
  }
  return { result, events, part, told, runId: run.runId, message: part?.result?.error?.message ?? '' }
}
