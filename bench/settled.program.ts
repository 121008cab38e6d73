// Settles waits and measures the time until their runs are at work again, on a host in the same process. Parameters: a folder for the
// store, and how many.
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { createHost, defineRuntime, defineSpecialist, defineTenant, defineTool, type Model, waitFor } from 'bailiwick'

/** The output of the process. */
export interface Settled {
  /** Milliseconds of each wait, from the call of `settle` until its handler is called again. */
  readonly took: readonly number[]
}

const [place = '', count = ''] = process.argv.slice(2)
const hook = defineTool({ name: 'hook', description: 'Waits', input: { type: 'object' } })
const clerk = defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Wait.', tools: [hook] })
const usage = { inputTokens: 1, outputTokens: 1 }
const model: Model = {
  async *stream({ messages }) {
    const isDone = messages.at(-1)?.role === 'tool'
    if (isDone) yield { type: 'text.delta', id: 't', delta: 'Done.' }
    else yield { type: 'tool.call', callId: '1', tool: 'hook', input: '{}' }
    yield { type: 'finish', reason: isDone ? 'stop' : 'tool-calls', usage }
  },
}
let resumed = () => {}
const host = await createHost(defineRuntime({ tenant: defineTenant('any', 'v1'), agents: [clerk] }), {
  store: `sled:${place}`,
  models: { test: model },
  tools: {
    hook: (_, context) => {
      if (context.resumed === undefined) return waitFor.event({ name: 'hook' })
      resumed()
      return 'over'
    },
  },
})
await host.start()
const runtime = await host.runtime('acme')
const took: number[] = []
for (let index = 0; index < Number(count); index += 1) {
  const { runId } = await runtime.query('Go').result()
  const [wait] = (await runtime.waits.list({ runId })).items
  if (wait === undefined) throw new Error('The run does not wait.')
  const isResumed = new Promise<void>((resolve) => {
    resumed = resolve
  })
  const start = performance.now()
  await runtime.waits.settle(wait.waitId, { value: 'ok' })
  await isResumed
  took.push(performance.now() - start)
  for await (const _ of runtime.runs.follow(runId));
}
await host.close()
const found: Settled = { took }
console.log(JSON.stringify(found))
