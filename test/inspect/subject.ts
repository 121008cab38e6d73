import { onTestFinished } from 'vitest'
import {
  createRuntime,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type ModelEvent,
  type OpenCall,
  type Runtime,
} from '../../ts/index.ts'
import { type Inspector, startInspector } from '../../ts/inspect/server.ts'
import type { OpenStore } from '../../ts/store/store.ts'
import { scriptedModel } from '../../ts/testing/index.ts'
import { openFresh, runtimeFor } from '../support/stores.ts'

const usage = { inputTokens: 1_240, outputTokens: 310 }
const finish = (reason: 'stop' | 'tool-calls'): ModelEvent => ({ type: 'finish', reason, usage })

/** What a run of the tests says where; each may be hostile. */
export interface Words {
  readonly prompt: string
  readonly actor: string
  readonly threadId: string
  readonly input: string
  readonly result: string
  readonly answer: string
}

/** A run that looks something up and then waits for an approval. */
export async function suspendedRun(store: OpenStore, resourceId: string, words: Words): Promise<string> {
  const input = { type: 'object' } as const
  const search = defineTool({ name: 'search', description: 'Searches', effects: 'read', input })
  const refund = defineTool({ name: 'refund', description: 'Refunds', approval: 'always', input })
  const agent = defineSpecialist({ name: 'support', model: 'test/small', prompt: 'Help.', tools: [search, refund] })
  const call = (callId: string, tool: string): ModelEvent => ({
    type: 'tool.call',
    callId,
    tool,
    input: JSON.stringify({ note: words.input, amount: 1250, [words.input]: null }),
  })
  const turns: ModelEvent[][] = [
    [call('call-1', 'search'), finish('tool-calls')],
    [call('call-2', 'refund'), finish('tool-calls')],
    [{ type: 'text.delta', id: '0', delta: words.answer }, finish('stop')],
  ]
  const runtime = await createRuntime(defineRuntime({ tenant: defineTenant(resourceId, 'v1'), agents: [agent] }), {
    store,
    models: { test: scriptedModel(turns) },
    tools: { search: () => ({ found: words.result }), refund: () => words.result },
  })
  const { prompt, threadId, actor } = words
  const run = runtime.query({ prompt, threadId, actor })
  const { status } = await run.result()
  if (status !== 'suspended') throw new Error(`The run is ${status}.`)
  return run.runId
}

/** A run whose calls wait as given. Its runtime knows the handlers, so it can go on. */
export async function waitingRun(
  store: OpenStore,
  resourceId: string,
  waits: readonly OpenCall[],
): Promise<{ readonly runtime: Runtime; readonly runId: string; readonly waitIds: readonly string[] }> {
  const tool = defineTool({ name: 'ask', description: 'Asks', input: { type: 'object' } })
  const agent = defineSpecialist({ name: 'support', model: 'test/small', prompt: 'Help.', tools: [tool] })
  const calls = waits.map(
    (_, at): ModelEvent => ({ type: 'tool.call', callId: `call-${at}`, tool: 'ask', input: JSON.stringify({ at }) }),
  )
  const turns: ModelEvent[][] = [
    [...calls, finish('tool-calls')],
    [{ type: 'text.delta', id: '0', delta: 'Thank you.' }, finish('stop')],
  ]
  const runtime: Runtime = await createRuntime(
    defineRuntime({ tenant: defineTenant(resourceId, 'v1'), agents: [agent] }),
    {
      store,
      models: { test: scriptedModel(turns) },
      tools: { ask: ({ at }, { resumed }) => (resumed === undefined ? waits[at as number] : 'heard') as never },
    },
  )
  const result = await runtime.query('Ask').result()
  if (result.status !== 'suspended') throw new Error(`The run is ${result.status}.`)
  const idOf = (at: number) => result.waits.find(({ callId }) => callId.includes(`call-${at}`))?.waitId ?? ''
  return { runtime, runId: result.runId, waitIds: waits.map((_, at) => idOf(at)) }
}

/** A tenant that is shown, and a client that has the session. */
export interface Shown {
  readonly store: OpenStore
  readonly runtime: Runtime
  readonly inspector: Inspector
  readonly origin: string
  /** The session's cookie. */
  readonly cookie: string
  /** Loads a page as the browser does that has the session. */
  load(path: string): Promise<Loaded>
}

/** What came of a request. */
export interface Loaded {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** Shows a tenant of a store until the test is over. */
export async function show(resourceId = 'acme', given?: OpenStore): Promise<Shown> {
  const store = given ?? (await openFresh('memory'))
  const runtime = await runtimeFor(store, resourceId)
  const inspector = await startInspector({ runtime, publicKey: store.publicKey }, 0)
  onTestFinished(() => inspector.close())
  const { origin } = new URL(inspector.url)
  const entered = await request(inspector.url)
  const cookie = (entered.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
  return { store, runtime, inspector, origin, cookie, load: (path) => request(origin + path, { headers: { cookie } }) }
}

/** Sends one request and follows nothing. */
export async function request(url: string, options: RequestInit = {}): Promise<Loaded> {
  const response = await fetch(url, { redirect: 'manual', ...options })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

/** The token in a page's forms. */
export function formTokenOf({ text }: Loaded): string {
  return /name="token" value="([\w-]+)"/.exec(text)?.[1] ?? ''
}
