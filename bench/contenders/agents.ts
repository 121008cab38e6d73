import { createRequire } from 'node:module'
import { join } from 'node:path'
import process from 'node:process'
import { type LangKeeping, langGraphs, langInput, langName } from './lang-graph.ts'

/** Runs an agent that calls one tool a given number of times, one call per step; its model and tool answer at once. */
export interface AgentContender {
  readonly name: string
  /** Resolves with the number of messages or calls, so that the work cannot be skipped. */
  readonly run: (steps: number, payload: () => string) => Promise<number>
}

interface OpenAiAgents {
  readonly Agent: new (fields: object) => unknown
  readonly Runner: new (fields: object) => { run(agent: unknown, input: string, options: object): Promise<unknown> }
  readonly Usage: new () => unknown
  tool(fields: object): unknown
}

const require = createRequire(join(process.cwd(), 'bench', 'package.json'))

const KEEPINGS: readonly LangKeeping[] = [
  { saver: 'none', isDelta: false },
  { saver: 'MemorySaver', isDelta: false },
  { saver: 'MemorySaver', isDelta: true },
  { saver: 'SqliteSaver', isDelta: false },
  { saver: 'SqliteSaver', isDelta: true },
]

/** Returns the installed rivals. `folder`: for a rival's file. */
export function agentRivals(folder: string): AgentContender[] {
  const rivals: (() => AgentContender)[] = [
    ...KEEPINGS.map((keeping) => () => langGraph(keeping, folder)),
    openAiAgents,
  ]
  return rivals.flatMap((rival) => {
    try {
      return [rival()]
    } catch (error) {
      console.log(`left out: ${(error as Error).message.split('\n')[0]}`)
      return []
    }
  })
}

function langGraph(keeping: LangKeeping, folder: string): AgentContender {
  const graphs = langGraphs(keeping, join(folder, `langgraph${keeping.isDelta ? '-delta' : ''}.db`))
  let threads = 0
  return {
    name: langName(keeping),
    run: async (steps, payload) => {
      const graph = graphs({
        next: (done) => {
          const step = done()
          return step < steps ? step : undefined
        },
        act: payload,
      })
      threads += 1
      const options = { recursionLimit: steps * 4, configurable: { thread_id: `${threads}` } }
      return (await graph.invoke(langInput(), options)).messages.length
    },
  }
}

function openAiAgents(): AgentContender {
  const { Agent, Runner, Usage, tool } = require('@openai/agents-core') as OpenAiAgents
  const runner = new Runner({ tracingDisabled: true })
  return {
    name: 'OpenAI Agents JS',
    run: async (steps, payload) => {
      const parameters = {
        type: 'object',
        properties: { step: { type: 'number' } },
        required: ['step'],
        additionalProperties: false,
      }
      let calls = 0
      const echo = tool({
        name: 'echo',
        description: 'Echoes',
        parameters,
        execute: async () => {
          calls += 1
          return payload()
        },
      })
      const model = {
        getResponse: async () => {
          const usage = new Usage()
          const content = [{ type: 'output_text', text: 'done' }]
          if (calls >= steps)
            return { usage, output: [{ type: 'message', role: 'assistant', status: 'completed', content }] }
          const call = { callId: `call-${calls}`, name: 'echo', arguments: `{"step":${calls}}`, status: 'completed' }
          return { usage, output: [{ type: 'function_call', ...call }] }
        },
        async *getStreamedResponse() {},
      }
      const agent = new Agent({ name: 'worker', instructions: 'Work.', model, tools: [echo] })
      await runner.run(agent, 'go', { maxTurns: steps * 2 })
      return calls
    },
  }
}
