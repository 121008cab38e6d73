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

/** A runtime with one agent that calls its tool in every step. */
export function ownAgent(
  store: Store,
  effects: ToolEffects,
  steps: number,
  echo: (step: number) => unknown = () => 'ok',
  tenant = `steps-${effects}`,
): Promise<Runtime> {
  const result = defineReference({ name: 'sample' })
  const tool = defineTool({
    name: 'echo',
    description: 'Echoes',
    input: { type: 'object', properties: { step: { type: 'number' } }, required: ['step'] },
    effects,
    result,
  })
  const worker = defineSpecialist({ name: 'worker', model: 'instant/any', prompt: 'Work.', tools: [tool] })
  const limits = { run: { maxSteps: steps + 1, maxToolCalls: steps + 1 } }
  const spec = defineRuntime({ tenant: defineTenant(tenant, 'v1'), agents: [worker], limits })
  const instant: Model = {
    async *stream({ messages }) {
      const done = messages.filter(({ role }) => role === 'tool').length
      const usage = { inputTokens: 1, outputTokens: 1 }
      if (done < steps) {
        yield { type: 'tool.call', callId: `call-${done}`, tool: 'echo', input: `{"step":${done}}` }
        yield { type: 'finish', reason: 'tool-calls', usage }
      } else {
        yield { type: 'text.delta', id: 'text', delta: 'done' }
        yield { type: 'finish', reason: 'stop', usage }
      }
    },
  }
  const tools = { echo: (input: unknown) => echo((input as { step: number }).step) as never }
  return createRuntime(spec, { store, tools: tools as never, models: { instant } })
}
