// A worker whose run waits for a tool that never answers, until the worker is terminated.
import { parentPort, workerData } from 'node:worker_threads'
import { createRuntime, defineRuntime, defineSpecialist, defineTenant, defineTool, openStore } from 'bailiwick'

const { url } = workerData as { url: string }
const stay = defineTool({ name: 'stay', description: 'x', effects: 'read', input: { type: 'object' } })
const agent = defineSpecialist({ name: 'one', model: 'test/m', prompt: 'x', tools: [stay] })
const store = await openStore(url)
const runtime = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1'), agents: [agent] }), {
  store,
  models: {
    test: {
      async *stream() {
        yield { type: 'tool.call', callId: 'a', tool: 'stay', input: '{}' }
        yield { type: 'finish', reason: 'tool-calls', usage: {} }
      },
    },
  },
  tools: {
    stay: (_, { runId }) => {
      parentPort?.postMessage(runId)
      parentPort?.postMessage('asked')
      return new Promise(() => {})
    },
  },
})
runtime.query('Go')
