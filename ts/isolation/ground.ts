import { randomBytes } from 'node:crypto'
import { kinds } from '../common/kinds.ts'
import {
  createRuntime,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  NotFoundError,
  type Retention,
  type Runtime,
  type RuntimeOptions,
  type RuntimeSpec,
  type Store,
} from '../index.ts'
import { scriptedModel } from '../testing/index.ts'

/** What opens a runtime: `createRuntime`, or what a host has put in its place. */
export type OpenRuntime = (spec: RuntimeSpec, options: RuntimeOptions) => Promise<Runtime>

/** Where the cells are tried: a store, and what opens runtimes on it. */
export interface Ground {
  readonly store: Store
  readonly openRuntime: OpenRuntime
  /** How long the things of `Stage.brief` live, in milliseconds. */
  readonly expiryMs: number
  /** Moves the store's clock on, if somebody can; else its time has to pass. */
  readonly advance: ((milliseconds: number) => Promise<void>) | undefined
}

/** Two tenants of one store whom nobody has met before. */
export interface Stage {
  readonly store: Store
  /** Who asks. Another of the same name when the tenant was erased. */
  own: Runtime
  /** The same tenant, whose things of every kind are soon over. */
  readonly brief: Runtime
  readonly foreign: Runtime
  /** Opens the tenant who asks once more. */
  reopen(version: string): Promise<Runtime>
  /** Resolves once what `brief` had placed before is over. */
  expire(): Promise<void>
}

/** How long the end of something is waited for beyond its time, before the engine counts as one that ends nothing. */
const PATIENCE_MS = 10_000

const echo = defineSpecialist({ name: 'echo', model: 'scripted/any', prompt: 'Answer.' })

/** A runtime's spec with one agent, which answers every prompt in the same words. */
export function specOf(resourceId: string, version = 'v1', retention: Retention = {}): RuntimeSpec {
  return defineRuntime({ tenant: defineTenant(resourceId, version), agents: [echo], retention })
}

/** The model of that agent. */
export function models(): NonNullable<RuntimeOptions['models']> {
  const scripted = scriptedModel(() => [
    { type: 'text.delta', id: 'text', delta: 'an answer' },
    { type: 'finish', reason: 'stop', usage: { inputTokens: 1, outputTokens: 1 } },
  ])
  return { scripted }
}

/** A text that no tenant of anybody begins with; a multiple of 4 bytes. */
export function freshToken(): string {
  return `isolation-${randomBytes(7).toString('hex')}`
}

/** Opens a runtime as the host does. */
export function open(
  { store, openRuntime }: Ground,
  resourceId: string,
  version?: string,
  retention?: Retention,
): Promise<Runtime> {
  return openRuntime(specOf(resourceId, version, retention), { store, models: models() })
}

/** Erases tenants, past whatever the host has put before a runtime. */
export async function eraseAll(store: Store, resourceIds: readonly string[]): Promise<void> {
  for (const resourceId of resourceIds) {
    const runtime = await createRuntime(specOf(resourceId), { store, models: models() })
    await runtime.erase({ confirm: resourceId })
  }
}

/** Makes two tenants, uses them, and erases them whatever came of it. */
export async function onStage<T>(ground: Ground, use: (stage: Stage) => Promise<T>): Promise<T> {
  const token = freshToken()
  const [own, foreign] = [`${token} own`, `${token} foreign`]
  const opened: Runtime[] = []
  const openOne = async (resourceId: string, version?: string, retention?: Retention) => {
    const runtime = await open(ground, resourceId, version, retention)
    opened.push(runtime)
    return runtime
  }
  const briefly = Object.fromEntries(kinds.map((kind) => [kind, { ttlMs: ground.expiryMs }])) as Retention
  try {
    return await use({
      store: ground.store,
      own: await openOne(own),
      brief: await openOne(own, 'v1', briefly),
      foreign: await openOne(foreign),
      reopen: (version) => openOne(own, version),
      expire: () => expire(ground, `${token} clock`),
    })
  } finally {
    await Promise.all(opened.map((runtime) => runtime.close()))
    await eraseAll(ground.store, [own, foreign])
  }
}

/** Waits until something is over that lives as long as what was placed before it, by the store's own clock. */
async function expire({ store, advance, expiryMs }: Ground, clock: string): Promise<void> {
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
