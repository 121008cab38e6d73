import { existsSync, readFileSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { rivalModule } from '../rival-module.ts'
import type { DurableContender, Task } from './task.ts'

interface Call {
  readonly data: { readonly step: number }
  readonly toolCallId: string
  readonly step: { do<T>(name: string, work: () => Promise<T>): Promise<T> }
}

interface FlueModule {
  setProvider(provider: unknown): void
  useModel(name: string): void
  useTool(tool: unknown): void
  defineTool(tool: object): unknown
  init(
    agent: unknown,
    options: object,
  ): { dispatch(text: string): Promise<object>; read(receipt: object): Promise<unknown> }
}

interface FlueNode {
  start(options: object): Promise<{ stop(): Promise<void> }>
  sqlite(path?: string): unknown
}

interface PiFaux {
  fauxProvider(options: object): { readonly provider: unknown; appendResponses(responses: unknown[]): void }
  fauxAssistantMessage(content: unknown, options?: object): unknown
  fauxToolCall(name: string, input: object, options: object): unknown
}

/** Flue with its SQLite adapter, and a tool with `durable: true` whose effect is in a `step.do`. */
export function flue(name: string, keeps: 'folder' | 'memory'): DurableContender {
  return {
    name,
    keeps,
    node: 22,
    run: async (task) => {
      const { init } = await rivalModule<FlueModule>('@flue/runtime')
      const { sqlite, start } = await rivalModule<FlueNode>('@flue/runtime/node')
      const Worker = await agentOf(task)
      const db = keeps === 'memory' ? sqlite() : sqlite(join(task.place, 'flue.db'))
      const flue = await start({ agents: [Worker], db })
      task.opened()
      const worker = init(Worker, { id: 'run' })
      const file = join(task.place, 'receipt.json')
      const hasReceipt = keeps === 'folder' && existsSync(file)
      const receipt = hasReceipt ? JSON.parse(readFileSync(file, 'utf8')) : await worker.dispatch('go')
      if (keeps === 'folder' && !hasReceipt) {
        await writeFile(`${file}.new`, JSON.stringify(receipt), { flush: true })
        await rename(`${file}.new`, file)
      }
      await worker.read(receipt)
      await flue.stop()
      return 'completed'
    },
  }
}

async function agentOf(task: Task): Promise<unknown> {
  const { defineTool, setProvider, useModel, useTool } = await rivalModule<FlueModule>('@flue/runtime')
  const v = await rivalModule<{ object(fields: object): object; number(): object }>('valibot')
  setProvider(await providerOf(task))
  const echo = defineTool({
    name: 'echo',
    description: 'Echoes',
    input: v.object({ step: v.number() }),
    durable: true,
    run: async ({ data, toolCallId, step }: Call) => ({
      output: await step.do('act', () => task.act(data.step, toolCallId)),
    }),
  })
  return function Worker() {
    useModel('local/any')
    useTool(echo)
    return 'Work.'
  }
}

async function providerOf(task: Task): Promise<unknown> {
  const pi = await rivalModule<PiFaux>('@earendil-works/pi-ai/providers/faux')
  // No context window: nothing is compacted.
  const faux = pi.fauxProvider({ provider: 'local', models: [{ id: 'any', contextWindow: 0 }] })
  const answer = async ({ messages }: { messages: readonly { readonly role: string }[] }) => {
    faux.appendResponses([answer])
    const step = await task.next(() => messages.filter(({ role }) => role === 'toolResult').length)
    if (step === undefined) return pi.fauxAssistantMessage('done')
    const call = pi.fauxToolCall('echo', { step }, { id: crypto.randomUUID() })
    return pi.fauxAssistantMessage([call], { stopReason: 'toolUse' })
  }
  faux.appendResponses([answer])
  return faux.provider
}
