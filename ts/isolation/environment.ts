import { randomBytes } from 'node:crypto'
import { kinds } from '../common/kinds.ts'
import {
  createRuntime,
  defineQuestion,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  NotFoundError,
  type QueryRequest,
  type Retention,
  type Runtime,
  type RuntimeOptions,
  type RuntimeSpec,
  type Store,
} from '../index.ts'
import { scriptedModel } from '../testing/index.ts'
import { IsolationError } from './answers.ts'

/** Opens a runtime: `createRuntime`, or the host's function in its place. */
export type OpenRuntime = (spec: RuntimeSpec, options: RuntimeOptions) => Promise<Runtime>

/** Environment of the cells: a store, and the function that opens runtimes on it. */
export interface Environment {
  readonly store: Store
  readonly openRuntime: OpenRuntime
  /** Lifetime of the records of `Fixture.shortLived`, in milliseconds. */
  readonly expiryMs: number
  /** Advances the store's clock, if it can be advanced; else the time has to pass. */
  readonly advance: ((milliseconds: number) => Promise<void>) | undefined
}

/** Two new tenants of one store. */
export interface Fixture {
  readonly store: Store
  /** The tenant that makes the calls. Replaced by another handle of the same name after an erase. */
  own: Runtime
  /** The same tenant, with a short lifetime for records of every kind. */
  readonly shortLived: Runtime
  readonly foreign: Runtime
  /** Opens another handle of the calling tenant. */
  reopen(version: string): Promise<Runtime>
  /** Resolves when everything that `shortLived` created has expired. */
  expire(): Promise<void>
}

/** The most characters of a question. */
const QUESTION_LENGTH = 10_000

/** Milliseconds to wait beyond the expiry before the engine counts as one that expires nothing. */
const PATIENCE_MS = 10_000

const answer = { type: 'string' } as const
const ask = defineQuestion({ name: 'ask', description: 'Asks a person', answer })
const later = defineQuestion({ name: 'later', description: 'Asks a person', answer, whileWaiting: 'continue' })
const echo = defineSpecialist({ name: 'echo', model: 'scripted/any', prompt: 'Answer.', tools: [ask, later] })

/** The names of tools, which begin prompts that the agent hands on to a person: it waits for the answer, or goes on. */
type Asking = 'ask' | 'later'

/** A runtime's spec with one agent, which answers every prompt in the same words, or asks a person first. */
export function specOf(resourceId: string, version = 'v1', retention: Retention = {}): RuntimeSpec {
  return defineRuntime({ tenant: defineTenant(resourceId, version), agents: [echo], retention })
}

export function models(): NonNullable<RuntimeOptions['models']> {
  const usage = { inputTokens: 1, outputTokens: 1 }
  const scripted = scriptedModel(({ messages }) => {
    const last = messages.at(-1)
    const said = last?.role === 'user' ? last.parts.map((part) => ('text' in part ? part.text : '')).join('') : ''
    const tool = /^(?:ask|later) /.exec(said)?.[0].trim()
    if (tool === undefined) {
      return [
        { type: 'text.delta', id: 'text', delta: 'an answer' },
        { type: 'finish', reason: 'stop', usage },
      ]
    }
    const input = JSON.stringify({ question: said.slice(tool.length + 1, QUESTION_LENGTH) })
    return [
      { type: 'tool.call', callId: 'asked', tool, input },
      { type: 'finish', reason: 'tool-calls', usage },
    ]
  })
  return { scripted }
}

/** Opens a wait with a question of about this content, and returns its id. */
export async function openWait(
  runtime: Runtime,
  content: string,
  { asks = 'ask', ...more }: { readonly asks?: Asking } & Omit<QueryRequest, 'prompt'> = {},
): Promise<string> {
  const run = runtime.query({ prompt: `${asks} ${content}`, ...more })
  const { status } = await run.result()
  for await (const event of run) if (event.type === 'tool.waiting') return event.wait.waitId
  throw new IsolationError(`A question opened no wait: the run is ${status}.`)
}

/** Where {@link queueRun} queues. */
export const queued = { threadId: 'queue', requestKey: 'queued', whenBusy: 'queue' } as const

/** Queues a run behind one that waits, and returns its id. */
export async function queueRun(runtime: Runtime, content: string): Promise<string> {
  await openWait(runtime, content, { threadId: queued.threadId, whenBusy: 'replace' })
  const run = runtime.query({ ...queued, prompt: content })
  // It ends with its runtime.
  run.result().catch(() => {})
  for await (const { type } of run) if (type === 'run.queued') return run.runId
  throw new IsolationError('A run behind one that waits was not queued.')
}

/** Returns a random prefix that no other tenant's name has; a multiple of 4 bytes. */
export function freshToken(): string {
  return `isolation-${randomBytes(7).toString('hex')}`
}

/** Opens a runtime as the host does. */
export function open(
  { store, openRuntime }: Environment,
  resourceId: string,
  version?: string,
  retention?: Retention,
): Promise<Runtime> {
  return openRuntime(specOf(resourceId, version, retention), { store, models: models() })
}

/** Erases tenants, without the host's wrapper of a runtime. */
export async function eraseAll(store: Store, resourceIds: readonly string[]): Promise<void> {
  for (const resourceId of resourceIds) {
    const runtime = await createRuntime(specOf(resourceId), { store, models: models() })
    await runtime.erase({ confirm: resourceId })
  }
}

/** Creates two tenants, uses them, and erases them in any case. */
export async function withFixture<T>(environment: Environment, use: (fixture: Fixture) => Promise<T>): Promise<T> {
  const token = freshToken()
  const [own, foreign] = [`${token} own`, `${token} foreign`]
  const opened: Runtime[] = []
  const openOne = async (resourceId: string, version?: string, retention?: Retention) => {
    const runtime = await open(environment, resourceId, version, retention)
    opened.push(runtime)
    return runtime
  }
  const retention = Object.fromEntries(kinds.map((kind) => [kind, { ttlMs: environment.expiryMs }])) as Retention
  try {
    return await use({
      store: environment.store,
      own: await openOne(own),
      shortLived: await openOne(own, 'v1', retention),
      foreign: await openOne(foreign),
      reopen: (version) => openOne(own, version),
      expire: () => expire(environment, `${token} clock`),
    })
  } finally {
    await Promise.all(opened.map((runtime) => runtime.close()))
    await eraseAll(environment.store, [own, foreign])
  }
}

/** Waits until a record with the short lifetime has expired, by the store's own clock. */
async function expire({ store, advance, expiryMs }: Environment, clock: string): Promise<void> {
  await using runtime = await createRuntime(specOf(clock), { store, models: models() })
  const { id } = await runtime.references.put('probe', 'probe', { ttlMs: expiryMs })
  await advance?.(expiryMs)
  const deadline = Date.now() + expiryMs + PATIENCE_MS
  const isThere = () =>
    runtime.references.describe(id).then(
      () => true,
      (error: unknown) => {
        if (NotFoundError.isInstance(error)) return false
        throw error
      },
    )
  while (await isThere()) {
    if (Date.now() > deadline) throw new Error(`Something that lives ${expiryMs} ms is there ${PATIENCE_MS} ms later.`)
    await new Promise((resolve) => setTimeout(resolve, Math.ceil(expiryMs / 10)))
  }
  await runtime.erase({ confirm: clock })
}
