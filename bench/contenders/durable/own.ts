import {
  createRuntime,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type Model,
  openStore,
  type Run,
  type Runtime,
  type ToolEffects,
} from 'bailiwick'
import type { DurableContender, Task } from './task.ts'

/** What the tool declares. */
interface Declared {
  readonly effects: ToolEffects
  readonly onInterrupted?: 'ask' | 'retry'
}

const usage = { inputTokens: 1, outputTokens: 1 }

/** bailiwick, in a directory or in memory. */
export function own(name: string, keeps: 'folder' | 'memory', declared: Declared): DurableContender {
  return {
    name,
    keeps,
    run: async (task) => {
      const store = await openStore(keeps === 'memory' ? 'memory:' : `sled:${task.place}`)
      const runtime = await open(task, store, declared)
      task.opened()
      const status = await finish(runtime, task)
      await store.close()
      return status
    },
  }
}

function open(task: Task, store: Awaited<ReturnType<typeof openStore>>, declared: Declared): Promise<Runtime> {
  const input = { type: 'object', properties: { step: { type: 'number' } }, required: ['step'] } as const
  const tool = defineTool({ name: 'echo', description: 'Echoes', input, ...declared })
  const worker = defineSpecialist({ name: 'worker', model: 'local/any', prompt: 'Work.', tools: [tool] })
  const limits = { run: { maxSteps: task.steps * 4, maxToolCalls: task.steps * 4 } }
  const spec = defineRuntime({ tenant: defineTenant('acme', 'v1'), agents: [worker], limits })
  const local: Model = {
    async *stream({ messages }) {
      const step = await task.next(() => messages.filter(({ role }) => role === 'tool').length)
      if (step === undefined) yield { type: 'text.delta', id: 'text', delta: 'done' }
      else yield { type: 'tool.call', callId: crypto.randomUUID(), tool: 'echo', input: `{"step":${step}}` }
      yield { type: 'finish', reason: step === undefined ? 'stop' : 'tool-calls', usage }
    },
  }
  const tools = {
    echo: (input: unknown, { idempotencyKey }: { idempotencyKey: string }) =>
      task.act((input as { step: number }).step, idempotencyKey),
  }
  return createRuntime(spec, { store, tools: tools as never, models: { local } })
}

/** Continues what is there, or begins; a person answers what is asked. */
async function finish(runtime: Runtime, task: Task): Promise<string> {
  let run: Run<unknown>
  const [completed] = (await runtime.runs.list({ status: 'completed' })).items
  if (completed !== undefined) return 'completed'
  const [interrupted] = (await runtime.runs.list({ status: 'interrupted' })).items
  const [suspended] = (await runtime.runs.list({ status: 'suspended' })).items
  if (interrupted !== undefined) run = runtime.runs.resume(interrupted.runId)
  else if (suspended !== undefined) run = await answered(runtime, task, suspended.runId)
  else run = runtime.query('go')
  for (;;) {
    const result = await run.result()
    if (result.status !== 'suspended') return result.status
    run = await answered(runtime, task, result.runId)
  }
}

async function answered(runtime: Runtime, task: Task, runId: string): Promise<Run<unknown>> {
  for (const { approvalId, subject } of (await runtime.approvals.pending()).items) {
    const step = 'tool' in subject ? (subject.input as { step: number }).step : Number.NaN
    const decision = task.hasHappened(step, approvalId) ? 'reject' : 'approve'
    await runtime.approvals.respond(approvalId, { decision, actor: 'kim', reason: 'The log of the service says so.' })
  }
  return runtime.runs.resume(runId)
}
