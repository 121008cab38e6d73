// Begins a run that waits for an approval, queues others behind it, says so, and waits. The test kills it.
import process from 'node:process'
import { setTimeout } from 'node:timers/promises'
import { createHost, defineRuntime, defineSpecialist, defineTenant, defineTool, type Model, openStore } from 'bailiwick'

const [, , url, ...prompts] = process.argv as [string, string, string, ...string[]]
const input = { type: 'object' } as const
const send = defineTool({ name: 'send', description: 'Sends', input, approval: 'always', onInterrupted: 'retry' })
const look = defineTool({ name: 'look', description: 'Looks', input, effects: 'read' })
const agent = defineSpecialist({ name: 'clerk', model: 'script/clerk', prompt: 'Serve.', tools: [send, look] })
const usage = { inputTokens: 1, outputTokens: 1 }
const model: Model = {
  async *stream() {
    yield { type: 'tool.call', callId: 'call', tool: 'send', input: '{}' }
    yield { type: 'finish', reason: 'tool-calls', usage }
  },
}
const host = await createHost(defineRuntime({ tenant: defineTenant('any', 'v1'), agents: [agent] }), {
  store: await openStore(url),
  models: { script: model },
  tools: { send: () => 'sent', look: () => 'seen' },
})
await host.start()
const acme = await host.runtime('acme')
const threadId = 'support'
await acme.query({ threadId, prompt: 'send' }).result()
for (const [at, prompt] of prompts.entries()) {
  const { runId } = acme.query({ threadId, prompt, whenBusy: 'queue' })
  while ((await acme.runs.list({ status: 'queued' })).items.length <= at) await setTimeout(5)
  console.log(runId)
}
await setTimeout(60_000)
