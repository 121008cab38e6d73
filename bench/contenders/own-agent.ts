import {
  createRuntime,
  defineReference,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type Model,
  type Runtime,
  type Store,
  type ToolEffects,
} from 'bailiwick'

/** What the tool of an agent declares. */
export interface Declared {
  readonly effects: ToolEffects
  readonly onInterrupted?: 'ask' | 'retry'
  readonly result?: ReturnType<typeof defineReference>
}

/** An agent whose model asks for one call of its tool a step. */
export interface OwnLoop {
  readonly tenant: string
  readonly mostSteps: number
  readonly declared: Declared
  /** Returns the step to call next, or nothing if the work is done. `done` counts the results in the conversation. */
  readonly next: (done: () => number) => Promise<number | undefined> | number | undefined
  readonly act: (step: number, idempotencyKey: string) => unknown
}

const usage = { inputTokens: 1, outputTokens: 1 }

/** A runtime with such an agent. */
export function runtimeOf(store: Store, { tenant, mostSteps, declared, next, act }: OwnLoop): Promise<Runtime> {
  const input = { type: 'object', properties: { step: { type: 'number' } }, required: ['step'] } as const
  const tool = defineTool({ name: 'echo', description: 'Echoes', input, ...declared })
  const worker = defineSpecialist({ name: 'worker', model: 'local/any', prompt: 'Work.', tools: [tool] })
  const limits = { run: { maxSteps: mostSteps, maxToolCalls: mostSteps } }
  const spec = defineRuntime({ tenant: defineTenant(tenant, 'v1'), agents: [worker], limits })
  const local: Model = {
    async *stream({ messages }) {
      const step = await next(() => messages.filter(({ role }) => role === 'tool').length)
      if (step === undefined) yield { type: 'text.delta', id: 'text', delta: 'done' }
      else yield { type: 'tool.call', callId: crypto.randomUUID(), tool: 'echo', input: `{"step":${step}}` }
      yield { type: 'finish', reason: step === undefined ? 'stop' : 'tool-calls', usage }
    },
  }
  const echo = (input: unknown, { idempotencyKey }: { idempotencyKey: string }) =>
    act((input as { step: number }).step, idempotencyKey)
  return createRuntime(spec, { store, tools: { echo } as never, models: { local } })
}

/** A runtime with one agent that calls its tool in every step, whose results are kept as references. */
export function ownAgent(
  store: Store,
  effects: ToolEffects,
  steps: number,
  echo: (step: number) => unknown = () => 'ok',
  tenant = `steps-${effects}`,
): Promise<Runtime> {
  const declared = { effects, result: defineReference({ name: 'sample' }) }
  const next = (done: () => number) => {
    const step = done()
    return step < steps ? step : undefined
  }
  return runtimeOf(store, { tenant, mostSteps: steps + 1, declared, next, act: echo })
}
