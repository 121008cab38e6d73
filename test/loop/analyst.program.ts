// Finishes the unfinished run of a store, or begins one, and approves whatever is asked. Every call of a tool is a line in a
// file outside the store. The test kills it.
import { openSync, writeSync } from 'node:fs'
import {
  createRuntime,
  defineCoordinator,
  defineExecutor,
  definePlan,
  definePlanner,
  defineRuntime,
  defineTenant,
  defineTool,
  type Model,
  type ModelEvent,
  openStore,
  type ToolContext,
} from 'bailiwick'

const [, , url, worldFile] = process.argv as [string, string, string, string]
const world = openSync(worldFile, 'a')
const input = { type: 'object' } as const
const search = defineTool({ name: 'search', description: 'x', effects: 'read', input })
const book = defineTool({ name: 'book', description: 'x', onInterrupted: 'retry', input })
const mail = defineTool({ name: 'mail', description: 'x', onInterrupted: 'fail', input })
const send = defineTool({ name: 'send', description: 'x', approval: 'always', input })
const names = ['search', 'book', 'mail', 'send'] as const
const agents = [
  defineCoordinator({
    name: 'front',
    model: 'test/front',
    prompt: 'x',
    routes: ['planner'],
    tools: [search, book, mail, send],
  }),
  definePlanner({ name: 'planner', model: 'test/planner', prompt: 'x', plan: definePlan({ name: 'plan' }) }),
  defineExecutor({ name: 'worker', tools: ['search', 'book'] }),
] as const
const spec = defineRuntime({ tenant: defineTenant('acme', 'v1'), agents })

const usage = { inputTokens: 1, outputTokens: 1 }
const plan = {
  goal: 'x',
  steps: [
    { id: 'a', tool: 'search', input: { step: true } },
    { id: 'b', tool: 'book', input: { step: { $step: 'a' } } },
  ],
}

/** Says the same whenever it is told the same. */
function say(modelId: string, answers: number): ModelEvent[] {
  const call = (tool: string, given: unknown): ModelEvent => ({
    type: 'tool.call',
    callId: tool,
    tool,
    input: JSON.stringify(given),
  })
  const text = (delta: string): ModelEvent[] => [
    { type: 'text.delta', id: '0', delta },
    { type: 'finish', reason: 'stop', usage },
  ]
  if (modelId === 'planner') return text(JSON.stringify(plan))
  if (answers === 2) return text('Done.')
  const calls = answers === 0 ? names.map((name) => call(name, {})) : [call('planner', { task: 'Plan it' })]
  return [...calls, { type: 'finish', reason: 'tool-calls', usage }]
}

const model: Model = {
  async *stream({ modelId, messages }) {
    console.log('model')
    yield* say(modelId, messages.filter(({ role }) => role === 'assistant').length)
  },
}

function handler(name: string) {
  return (_: unknown, { idempotencyKey }: ToolContext) => {
    writeSync(world, `${name} ${idempotencyKey}\n`)
    console.log(name)
    return 'ok'
  }
}

const store = await openStore(url)
const runtime = await createRuntime(spec, {
  store,
  models: { test: model },
  tools: { search: handler('search'), book: handler('book'), mail: handler('mail'), send: handler('send') },
})
for (;;) {
  for (const { approvalId } of (await runtime.approvals.pending()).items) {
    console.log('approve')
    await runtime.approvals.respond(approvalId, { decision: 'approve', actor: 'kim' })
  }
  const [last] = (await runtime.runs.list()).items
  const run = last === undefined ? runtime.query({ prompt: 'Go', threadId: 'one' }) : runtime.runs.resume(last.runId)
  for await (const { type } of run) console.log(type)
  const result = await run.result()
  if (result.status === 'suspended') continue
  const messages = (await runtime.threads.messages('one')).items.map(({ role }) => role)
  const { ok } = await runtime.approvals.verify()
  const plans = (await runtime.plans.list()).items.map(({ status }) => status)
  console.log(JSON.stringify({ status: result.status, text: result.text, messages, plans, ok }))
  break
}
await store.close()
