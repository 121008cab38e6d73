// Finishes what others left unfinished in a store, and begins one run after the other until its standard input ends. Every
// call of a tool, and every result that is in a journal, is a line in a file outside the store. The test kills it.
import { openSync, writeSync } from 'node:fs'
import process from 'node:process'
import { setTimeout } from 'node:timers/promises'
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
  type Page,
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

/** Some runs are decided about at once, the others are suspended and decided about later. */
function isAsked(runId: string | undefined): boolean {
  return 'abcdefghijklmnop'.includes(runId?.at(-1) ?? 'z')
}

/** Of what a process writes before it is killed, nothing is lost. */
function note(...words: readonly string[]): void {
  writeSync(world, `${words.join(' ')}\n`)
  console.log(words[0])
}

function handler(name: string) {
  return (_: unknown, { runId, callId }: ToolContext) => {
    note('calls', runId, callId, name)
    return 'ok'
  }
}

const store = await openStore(url)
const runtime = await createRuntime(spec, {
  store,
  models: { test: model },
  tools: { search: handler('search'), book: handler('book'), mail: handler('mail'), send: handler('send') },
  approve: async ({ runId }) => {
    console.log('asked')
    return isAsked(runId) ? { decision: 'approve', actor: 'lee' } : { decision: 'defer' }
  },
})

/** Does what a host does: decides, resumes, follows. */
async function work(unfinished: string | undefined): Promise<void> {
  let runId = unfinished
  for (;;) {
    for (const { approvalId } of (await runtime.approvals.pending()).items) {
      console.log('approve')
      await runtime.approvals.respond(approvalId, { decision: 'approve', actor: 'kim' })
    }
    const run = runId === undefined ? runtime.query({ prompt: 'Go' }) : runtime.runs.resume(runId)
    runId = run.runId
    for await (const event of run) {
      if (event.type === 'tool.completed' || event.type === 'tool.failed')
        note('knows', runId, event.callId, event.type)
      else console.log(event.type)
    }
    if ((await run.result()).status !== 'suspended') return
  }
}

/** All items of a list. */
async function all<T>(list: (cursor: string | undefined) => Promise<Page<T>>): Promise<T[]> {
  const items: T[] = []
  let cursor: string | undefined
  do {
    const page = await list(cursor)
    items.push(...page.items)
    cursor = page.cursor
  } while (cursor !== undefined)
  return items
}

let isToStop = false
process.stdin.on('end', () => {
  isToStop = true
})
process.stdin.resume()
for (;;) {
  // Where others may be at work too, a process that was killed counts as one of them until its lease has lapsed.
  const newest = (await runtime.runs.list({ limit: 1000 })).items
  const unfinished = newest.filter(({ status }) => ['running', 'interrupted', 'suspended'].includes(status))
  const left = unfinished.find(({ status }) => status !== 'running')
  if (left !== undefined) await work(left.runId)
  else if (!isToStop) await work(undefined)
  else if (unfinished.length > 0) await setTimeout(100)
  else break
}

const runs = await all((cursor) => runtime.runs.list(cursor === undefined ? {} : { cursor }))
const ends = await Promise.all(
  runs.map(async ({ runId, threadId, status }) => {
    const roles = (await runtime.threads.messages(threadId)).items.map(({ role }) => role)
    return { runId, status, roles: roles.join() }
  }),
)
const plans = await all((cursor) => runtime.plans.list(cursor === undefined ? {} : { cursor }))
const { ok } = await runtime.approvals.verify()
const pending = (await runtime.approvals.pending()).items.length
console.log(JSON.stringify({ ends, plans: plans.map(({ status }) => status), ok, pending }))
await store.close()
