import { createRequire } from 'node:module'
import { join } from 'node:path'
import process from 'node:process'

interface LangMessage {
  getType(): string
  readonly tool_calls?: readonly { readonly id: string; readonly args: { readonly step: number } }[]
}

interface LangState {
  readonly messages: readonly LangMessage[]
}

/** A compiled graph. */
export interface LangGraph {
  invoke(state: object | null, options: object): Promise<LangState>
  getState(
    options: object,
  ): Promise<{ readonly config: { readonly configurable: { readonly checkpoint_id?: string } } }>
}

interface LangGraphBuilder {
  addNode(name: string, node: (state: LangState) => object): LangGraphBuilder
  addEdge(from: string, to: string): LangGraphBuilder
  addConditionalEdges(from: string, next: (state: LangState) => string): LangGraphBuilder
  compile(options: object): LangGraph
}

interface LangGraphModule {
  readonly StateGraph: new (state: unknown) => LangGraphBuilder
  readonly StateSchema: new (fields: object) => unknown
  readonly MessagesAnnotation: unknown
  readonly MessagesDeltaValue: unknown
  readonly MemorySaver: new () => unknown
  readonly START: string
  readonly END: string
}

interface LangMessages {
  readonly AIMessage: new (fields: unknown) => LangMessage
  readonly HumanMessage: new (fields: unknown) => LangMessage
  readonly ToolMessage: new (fields: unknown) => LangMessage
}

/** How a graph keeps its state, and its name. */
export interface LangKeeping {
  readonly saver: 'none' | 'MemorySaver' | 'SqliteSaver'
  /** Whether checkpoints hold only what a step adds to the messages, `MessagesDeltaValue`, which is experimental. */
  readonly isDelta: boolean
}

/** The model and the tool of a graph. */
export interface LangLoop {
  /** Returns the step to call next, or nothing if the work is done. `done` counts the results in the conversation. */
  readonly next: (done: () => number) => Promise<number | undefined> | number | undefined
  /** Calls the tool. */
  readonly act: (step: number, callId: string) => Promise<string> | string
}

/** Returns the name of a way to keep state. */
export function langName({ saver, isDelta }: LangKeeping): string {
  return `LangGraph.js${saver === 'none' ? ' without a saver' : `, ${saver}`}${isDelta ? ', MessagesDeltaValue' : ''}`
}

const require = createRequire(join(process.cwd(), 'bench', 'package.json'))

/** The first message of a conversation. */
export function langInput(): object {
  const { HumanMessage } = require('@langchain/core/messages') as LangMessages
  return { messages: [new HumanMessage('go')] }
}

/** Returns what makes graphs of a model and a tool, which share one saver. Throws if LangGraph.js is not installed. */
export function langGraphs({ saver, isDelta }: LangKeeping, file: string): (loop: LangLoop) => LangGraph {
  const module = require('@langchain/langgraph') as LangGraphModule
  const { AIMessage, ToolMessage } = require('@langchain/core/messages') as LangMessages
  const savers = {
    none: () => ({}),
    MemorySaver: () => ({ checkpointer: new module.MemorySaver() }),
    SqliteSaver: () => {
      const { SqliteSaver } = require('@langchain/langgraph-checkpoint-sqlite')
      return { checkpointer: SqliteSaver.fromConnString(file) }
    },
  }
  const options = savers[saver]()
  const state = isDelta ? new module.StateSchema({ messages: module.MessagesDeltaValue }) : module.MessagesAnnotation
  const results = (messages: readonly LangMessage[]) =>
    messages.filter((message) => message.getType() === 'tool').length
  return ({ next, act }) =>
    new module.StateGraph(state)
      .addNode('model', async ({ messages }) => {
        const step = await next(() => results(messages))
        const call = { id: crypto.randomUUID(), name: 'echo', args: { step } }
        return { messages: [new AIMessage(step === undefined ? 'done' : { content: '', tool_calls: [call] })] }
      })
      .addNode('tools', async ({ messages }) => {
        const calls = messages.at(-1)?.tool_calls ?? []
        const texts = await Promise.all(calls.map(({ id, args }) => act(args.step, id)))
        return { messages: calls.map(({ id }, at) => new ToolMessage({ content: texts[at], tool_call_id: id })) }
      })
      .addEdge(module.START, 'model')
      .addConditionalEdges('model', ({ messages }) => (messages.at(-1)?.tool_calls?.length ? 'tools' : module.END))
      .addEdge('tools', 'model')
      .compile(options)
}
