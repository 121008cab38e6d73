import { onTestFinished } from 'vitest'
import {
  createHost,
  createRuntime,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type Host,
  type HostOptions,
  type ModelRequest,
  type Runtime,
  type Store,
  withTenant,
} from '../../ts/index.ts'
import { scriptedModel } from '../../ts/testing/index.ts'

const input = { type: 'object' } as const
const send = defineTool({ name: 'send', description: 'Sends', input, approval: 'always', onInterrupted: 'retry' })
const look = defineTool({ name: 'look', description: 'Looks', input, effects: 'read' })
const agent = defineSpecialist({ name: 'clerk', model: 'script/clerk', prompt: 'Serve.', tools: [send, look] })

/** One agent with a tool that needs an approval and one that does not. */
export const topology = defineRuntime({ tenant: defineTenant('template', 'v1'), agents: [agent] })

/** Does what the prompt says, `send` or `look`, and then says so. */
function clerk({ messages }: ModelRequest) {
  const text = messages.flatMap(({ role, parts }) => (role === 'user' ? parts : [])).at(-1)
  const last = messages.at(-1)?.parts[0]
  const usage = { inputTokens: 1, outputTokens: 1 }
  if (last?.type === 'tool-result') {
    return [
      { type: 'text.delta', id: '0', delta: 'Done.' },
      { type: 'finish', reason: 'stop', usage },
    ] as const
  }
  const tool = text?.type === 'text' ? text.text : 'look'
  return [
    { type: 'tool.call', callId: 'call', tool, input: '{}' },
    { type: 'finish', reason: 'tool-calls', usage },
  ] as const
}

/** What tools do. */
export interface Tools {
  readonly send?: (tenant: string) => unknown
  readonly look?: (tenant: string, runId: string) => unknown
}

/** The functions that a runtime or a host of the topology needs. */
export function functions({ send = () => 'sent', look = () => 'seen' }: Tools = {}) {
  return {
    models: { script: scriptedModel(clerk) },
    tools: {
      send: (_: unknown, context: { tenant: { resourceId: string } }) => send(context.tenant.resourceId) as string,
      look: (_: unknown, context: { tenant: { resourceId: string }; runId: string }) =>
        look(context.tenant.resourceId, context.runId) as string,
    },
  }
}

/** A host on this store, which is closed when the test is over. */
export async function hostOn(
  store: Store,
  tools: Tools = {},
  options: Partial<HostOptions> = {},
): Promise<Host<typeof topology>> {
  const host = await createHost(topology, { store, ...functions(tools), ...options } as never)
  onTestFinished(() => host.close())
  return host as Host<typeof topology>
}

/** A runtime of its own for a tenant. */
export function runtimeOf(store: Store, tenant: string, tools: Tools = {}): Promise<Runtime> {
  return createRuntime(withTenant(topology, defineTenant(tenant, 'v1')), { store, ...functions(tools) } as never)
}

/** Begins a run that waits for an approval. */
export async function waiting(runtime: Runtime): Promise<{ readonly runId: string; readonly approvalId: string }> {
  const result = await runtime.query('send').result()
  if (result.status !== 'suspended') throw new Error(`It is ${result.status}.`)
  return { runId: result.runId, approvalId: result.approvals[0]?.approvalId as string }
}

export async function approve(runtime: Runtime, approvalId: string): Promise<void> {
  await runtime.approvals.respond(approvalId, { decision: 'approve', actor: 'kim' })
}

/** Waits until a run is over, and returns its status. */
export async function over(runtime: Runtime, runId: string): Promise<string> {
  for await (const event of runtime.runs.follow(runId)) void event
  return (await runtime.runs.get(runId)).status
}
