import { createRequire } from 'node:module'
import { join } from 'node:path'
import process from 'node:process'

/** Runs an agent that calls one tool a given number of times, one call per step; its model and tool answer at once. */
export interface AgentContender {
  readonly name: string
  /** Resolves with the number of messages or calls, so that the work cannot be skipped. */
  readonly run: (steps: number, payload: () => string) => Promise<number>
}

interface LangMessage {
  getType(): string
  readonly tool_calls?: readonly { readonly id: string }[]
}

interface LangState {
  readonly messages: readonly LangMessage[]
}

interface LangGraph {
  invoke(state: object, options: object): Promise<LangState>
}

interface LangGraphBuilder {
  addNode(name: string, node: (state: LangState) => object): LangGraphBuilder
  addEdge(from: string, to: string): LangGraphBuilder
  addConditionalEdges(from: string, next: (state: LangState) => string): LangGraphBuilder
  compile(options: object): LangGraph
}

interface LangGraphModule {
  readonly StateGraph: new (state: unknown) => LangGraphBuilder
  readonly MessagesAnnotation: unknown
  readonly MemorySaver: new () => unknown
  readonly START: string
  readonly END: string
}

interface LangMessages {
  readonly AIMessage: new (fields: unknown) => LangMessage
  readonly HumanMessage: new (fields: unknown) => LangMessage
  readonly ToolMessage: new (fields: unknown) => LangMessage
}

interface OpenAiAgents {
  readonly Agent: new (fields: object) => unknown
  readonly Runner: new (fields: object) => { run(agent: unknown, input: string, options: object): Promise<unknown> }
  readonly Usage: new () => unknown
  tool(fields: object): unknown
}

const require = createRequire(join(process.cwd(), 'bench', 'package.json'))

/** Returns the installed rivals. `folder`: for a rival's file. */
export function agentRivals(folder: string): AgentContender[] {
  const rivals: (() => AgentContender)[] = [
    () => langGraph('LangGraph.js without a saver', () => undefined),
    () => langGraph('LangGraph.js, MemorySaver', ({ MemorySaver }) => new MemorySaver()),
    () =>
      langGraph('LangGraph.js, SqliteSaver', () => {
        const { SqliteSaver } = require('@langchain/langgraph-checkpoint-sqlite')
        return SqliteSaver.fromConnString(join(folder, 'langgraph.db'))
      }),
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

function langGraph(name: string, saverOf: (module: LangGraphModule) => unknown): AgentContender {
  const module = require('@langchain/langgraph') as LangGraphModule
  const { AIMessage, HumanMessage, ToolMessage } = require('@langchain/core/messages') as LangMessages
  const checkpointer = saverOf(module)
  let threads = 0
  return {
    name,
    run: async (steps, payload) => {
      const graph = new module.StateGraph(module.MessagesAnnotation)
        .addNode('model', ({ messages }) => {
          const done = messages.filter((message) => message.getType() === 'tool').length
          const call = { id: `call-${done}`, name: 'echo', args: { step: done } }
          return { messages: [new AIMessage(done < steps ? { content: '', tool_calls: [call] } : 'done')] }
        })
        .addNode('tools', ({ messages }) => ({
          messages: (messages.at(-1)?.tool_calls ?? []).map(
            ({ id }) => new ToolMessage({ content: payload(), tool_call_id: id }),
          ),
        }))
        .addEdge(module.START, 'model')
        .addConditionalEdges('model', ({ messages }) => (messages.at(-1)?.tool_calls?.length ? 'tools' : module.END))
        .addEdge('tools', 'model')
        .compile(checkpointer === undefined ? {} : { checkpointer })
      threads += 1
      const options = { recursionLimit: steps * 4, configurable: { thread_id: `${threads}` } }
      return (await graph.invoke({ messages: [new HumanMessage('go')] }, options)).messages.length
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
