// Begins runs of a few tenants and decides about their approvals, until its standard input ends; then it waits until every run is over.
// No code here resumes a run: the host does. Each call of a tool is a line in a file outside the store. The test kills it.
import { openSync, writeSync } from 'node:fs'
import process from 'node:process'
import { setTimeout } from 'node:timers/promises'
import {
  BailiwickError,
  createHost,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type Model,
  type ModelEvent,
  openStore,
  type ToolContext,
} from 'bailiwick'

const [, , url, worldFile] = process.argv as [string, string, string, string]
const world = openSync(worldFile, 'a')
const tenants = ['acme', 'globex', 'initech']
const AT_ONCE = 3
const input = { type: 'object' } as const
const search = defineTool({ name: 'search', description: 'x', effects: 'read', input })
const book = defineTool({ name: 'book', description: 'x', onInterrupted: 'retry', input })
const mail = defineTool({ name: 'mail', description: 'x', onInterrupted: 'fail', input })
const send = defineTool({ name: 'send', description: 'x', approval: 'always', onInterrupted: 'retry', input })
const agent = defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'x', tools: [search, book, mail, send] })
const usage = { inputTokens: 1, outputTokens: 1 }
const steps = [['search', 'book'], ['send'], ['mail', 'send']]

const model: Model = {
  async *stream({ messages }) {
    console.log('model')
    const tools = steps[messages.filter(({ role }) => role === 'assistant').length]
    const calls = (tools ?? []).map(
      (tool): ModelEvent => ({ type: 'tool.call', callId: tool, tool, input: JSON.stringify({}) }),
    )
    if (calls.length === 0) yield { type: 'text.delta', id: '0', delta: 'Done.' }
    yield* calls
    yield { type: 'finish', reason: calls.length === 0 ? 'stop' : 'tool-calls', usage }
  },
}

function acts(tool: string) {
  return (_: unknown, { runId, callId }: ToolContext) => {
    writeSync(world, `${runId} ${callId} ${tool}\n`)
    return tool
  }
}

const store = await openStore(url)
const host = await createHost(defineRuntime({ tenant: defineTenant('any', 'v1'), agents: [agent] }), {
  store,
  models: { test: model },
  tools: { search: acts('search'), book: acts('book'), mail: acts('mail'), send: acts('send') },
  onError: (error) => console.error(error),
})
await host.start()
const runtimes = await Promise.all(tenants.map((tenant) => host.runtime(tenant)))

let isEnding = false
process.stdin.on('end', () => {
  isEnding = true
})
process.stdin.resume()

async function begin(runtime: (typeof runtimes)[number]): Promise<void> {
  while (!isEnding) {
    const open = await Promise.all(
      (['running', 'suspended'] as const).map((status) => runtime.runs.list({ status, limit: AT_ONCE })),
    )
    if (open.flatMap(({ items }) => items).length < AT_ONCE) await runtime.query('Go').result()
    else await setTimeout(5)
  }
}

/** Another process may decide first. */
async function decide(runtime: (typeof runtimes)[number]): Promise<void> {
  const { items } = await runtime.approvals.pending({ limit: 10 })
  for (const { approvalId } of items) {
    try {
      await runtime.approvals.respond(approvalId, { decision: 'approve', actor: 'kim' })
    } catch (error) {
      if (!BailiwickError.isInstance(error) || error.code !== 'APPROVAL_CLOSED') throw error
    }
  }
}

async function isOver(runtime: (typeof runtimes)[number]): Promise<boolean> {
  const statuses = ['running', 'interrupted', 'suspended'] as const
  const open = await Promise.all(statuses.map((status) => runtime.runs.list({ status, limit: 1 })))
  return open.every(({ items }) => items.length === 0)
}

const begun = Promise.all(runtimes.map(begin))
for (let isDone = false; !isDone; await setTimeout(10)) {
  await Promise.all(runtimes.map(decide))
  isDone = isEnding && (await Promise.all(runtimes.map(isOver))).every(Boolean)
}
await begun
const ends: { runId: string; status: string; roles: string }[] = []
for (const runtime of runtimes) {
  let cursor: string | undefined
  do {
    const page = await runtime.runs.list({ limit: 100, ...(cursor === undefined ? {} : { cursor }) })
    for (const { runId, threadId, status } of page.items) {
      const { items } = await runtime.threads.messages(threadId)
      ends.push({ runId, status, roles: items.map(({ role }) => role).join() })
    }
    cursor = page.cursor
  } while (cursor !== undefined)
}
const { ok } = await store.health()
console.log(JSON.stringify({ ends, ok }))
await host.close()
await store.close()
