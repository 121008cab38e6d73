import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { rivalModule } from '../rival-module.ts'
import type { DurableContender, Task } from './task.ts'

interface Stream {
  readonly output: { readonly fullStream: AsyncIterable<{ readonly type: string }> }
}

interface DurableAgent {
  stream(request: string, options: object): Promise<Stream>
  listActiveRuns(): Promise<{ readonly runs: readonly { readonly runId: string }[] }>
  recover(runId: string): Promise<Stream>
}

type Class<T> = new (options: object) => T
type Prompt = { readonly prompt: readonly { readonly role: string }[] }
type Context = { readonly agent?: { readonly toolCallId?: string } }

const usage = { inputTokens: 1, outputTokens: 1, totalTokens: 2 }

/** A durable agent of Mastra that stores its snapshots by libSQL; runs that a process left are recovered. */
export function mastra(name: string, keeps: 'folder' | 'memory'): DurableContender {
  return {
    name,
    keeps,
    node: 22,
    run: async (task) => {
      const agent = await openAgent(task, keeps)
      task.opened()
      // A run that has ended leaves nothing in the store: what the program was asked to do is the program's to remember.
      const begun = join(task.place, 'begun')
      const [active] = keeps === 'memory' ? [] : (await agent.listActiveRuns()).runs
      if (active === undefined && existsSync(begun)) return 'gone: the run is not active, and has not ended'
      const options = { runId: 'run', maxSteps: task.steps + 1 }
      const started = active === undefined ? await agent.stream('go', options) : await agent.recover(active.runId)
      let last = 'nothing'
      for await (const { type } of started.output.fullStream) {
        if (last === 'nothing' && keeps === 'folder') await writeFile(begun, '', { flush: true })
        last = type
      }
      return last === 'finish' ? 'completed' : `ended with ${last}`
    },
  }
}

async function openAgent(task: Task, keeps: 'folder' | 'memory'): Promise<DurableAgent> {
  const { Agent } = await rivalModule<{ readonly Agent: Class<object> }>('@mastra/core/agent')
  const { createDurableAgent } = await rivalModule<{ createDurableAgent(options: object): DurableAgent }>(
    '@mastra/core/agent/durable',
  )
  const { createTool } = await rivalModule<{ createTool(options: object): object }>('@mastra/core/tools')
  const { Mastra } = await rivalModule<{ readonly Mastra: Class<unknown> }>('@mastra/core')
  const { LibSQLStore } = await rivalModule<{ readonly LibSQLStore: Class<object> }>('@mastra/libsql')
  const { z } = await rivalModule<{ readonly z: { object(fields: object): object; number(): object } }>('zod')
  const echo = createTool({
    id: 'echo',
    description: 'Echoes',
    inputSchema: z.object({ step: z.number() }),
    execute: ({ step }: { step: number }, { agent }: Context) => task.act(step, agent?.toolCallId ?? 'none'),
  })
  const instructions = { id: 'worker', name: 'worker', instructions: 'Work.' }
  const agent = new Agent({ ...instructions, model: modelOf(task), tools: { echo } })
  const worker = createDurableAgent({ agent })
  const stored = () => ({
    storage: new LibSQLStore({ id: 'bench', url: `file:${join(task.place, 'mastra.db')}` }),
    recovery: { durableAgents: 'auto' },
  })
  // biome-ignore lint/correctness/noUnusedVariables: it registers the agent. Without a store it keeps runs in memory.
  const mastra = new Mastra({ agents: { worker }, logger: false, ...(keeps === 'folder' && stored()) })
  return worker
}

/** A model in the form that the AI SDK gives models. */
function modelOf(task: Task): object {
  const parts = async ({ prompt }: Prompt): Promise<object[]> => {
    const step = await task.next(() => prompt.filter(({ role }) => role === 'tool').length)
    const start = { type: 'stream-start', warnings: [] }
    if (step !== undefined) {
      const call = { toolCallId: crypto.randomUUID(), toolName: 'echo', input: `{"step":${step}}` }
      return [start, { type: 'tool-call', ...call }, { type: 'finish', finishReason: 'tool-calls', usage }]
    }
    const text = [
      { type: 'text-start', id: 'text' },
      { type: 'text-delta', id: 'text', delta: 'done' },
      { type: 'text-end', id: 'text' },
    ]
    return [start, ...text, { type: 'finish', finishReason: 'stop', usage }]
  }
  return {
    specificationVersion: 'v2',
    provider: 'local',
    modelId: 'any',
    supportedUrls: {},
    doGenerate: () => Promise.reject(new Error('The agent streams.')),
    doStream: async (options: Prompt) => ({ stream: ReadableStream.from(await parts(options)) }),
  }
}
