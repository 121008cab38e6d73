// One of several processes on one store: goes on with runs that others left, and begins new ones on threads that all
// share, until its standard input ends; then it waits until nothing is unfinished. Every call of a tool, and every result
// that is in a journal, is a line in a file outside the store. The test kills some of these processes.
import { openSync, writeSync } from 'node:fs'
import process from 'node:process'
import { setTimeout } from 'node:timers/promises'
import {
  type BailiwickError,
  createRuntime,
  defineCoordinator,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type Model,
  openStore,
  type Run,
  type ToolContext,
} from 'bailiwick'

const THREADS = 4

const [, , url, worldFile] = process.argv as [string, string, string, string]
const world = openSync(worldFile, 'a')
const input = { type: 'object' } as const
const book = defineTool({ name: 'book', description: 'x', onInterrupted: 'retry', input })
const mail = defineTool({ name: 'mail', description: 'x', onInterrupted: 'fail', input })
const agents = [
  defineCoordinator({ name: 'front', model: 'test/front', prompt: 'x', routes: ['helper'], tools: [book, mail] }),
  defineSpecialist({ name: 'helper', model: 'test/helper', prompt: 'x' }),
] as const
const spec = defineRuntime({ tenant: defineTenant('acme', 'v1'), agents })

const model: Model = {
  async *stream({ messages }) {
    const isFirst = messages.at(-1)?.role === 'user'
    if (isFirst) {
      for (const tool of ['book', 'mail']) yield { type: 'tool.call', callId: tool, tool, input: '{}' }
    } else {
      yield { type: 'text.delta', id: '0', delta: 'Done.' }
    }
    yield { type: 'finish', reason: isFirst ? 'tool-calls' : 'stop', usage: { inputTokens: 1, outputTokens: 1 } }
  },
}

/** Lines of several processes do not mix: each is appended at once. */
function note(...words: readonly string[]): void {
  writeSync(world, `${words.join(' ')}\n`)
}

function handler(name: string) {
  return async (_: unknown, { runId, callId, threadId }: ToolContext) => {
    note(name, threadId, runId, callId)
    // Long enough for another who believes the thread to be free.
    await setTimeout(20)
    return 'ok'
  }
}

const store = await openStore(url)
const runtime = await createRuntime(spec, {
  store,
  models: { test: model },
  tools: { book: handler('book'), mail: handler('mail') },
})

/** Follows a run to its end. That another process is at work at it, or on its thread, is no failure. */
async function follow(run: Run<unknown>, threadId: string): Promise<void> {
  try {
    for await (const event of run) {
      console.log(event.type)
      if (event.type === 'tool.completed' || event.type === 'tool.failed')
        note('knows', threadId, run.runId, event.callId)
    }
    await run.result()
  } catch (error) {
    const { code } = error as BailiwickError
    if (code !== 'THREAD_BUSY') throw error
  }
}

let isToStop = false
process.stdin.on('end', () => {
  isToStop = true
})
process.stdin.resume()
for (;;) {
  // One look: between two, a run may turn from the one state to the other and be seen in neither.
  const runs = (await runtime.runs.list({ limit: 1000 })).items
  const interrupted = runs.filter(({ status }) => status === 'interrupted')
  for (const { runId, threadId } of interrupted) await follow(runtime.runs.resume(runId), threadId)
  const isUnfinished = interrupted.length > 0 || runs.some(({ status }) => status === 'running')
  if (isToStop && !isUnfinished) break
  const threadId = `thread-${Math.floor(Math.random() * THREADS)}`
  if (isToStop) await setTimeout(100)
  else await follow(runtime.query({ prompt: 'Go', threadId }), threadId)
}
const runs = (await runtime.runs.list({ limit: 1000 })).items
console.log(JSON.stringify(runs.map(({ runId, threadId, status }) => ({ runId, threadId, status }))))
await store.close()
