import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { createRuntime, defineRuntime, defineTenant, type Runtime, type Store } from '../../ts/index.ts'
import { type OpenStore, openWith, type StoreOptions } from '../../ts/store/store.ts'
import { freshDatabase } from './databases.ts'

/** Every engine that a test of the public contract runs on. */
export const engines = ['memory', 'sled', 'postgres'] as const

export type EngineName = (typeof engines)[number]

/** Those that outlive a process. */
export const durableEngines = ['sled', 'postgres'] as const

/** When the clocks of these tests stand still. */
export const noon = Date.UTC(2026, 5, 1, 12)

/** An empty folder that is gone when the test is over. */
export function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bailiwick-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The URL of a store that nobody else knows. */
export async function freshUrl(engine: EngineName): Promise<string> {
  if (engine === 'postgres') return (await freshDatabase()).url
  return engine === 'memory' ? `memory:${randomUUID()}` : `sled:${join(freshFolder(), 'store')}`
}

/** Opens a new store, which is closed when the test is over. With `now`, its clock stands still. */
export async function openFresh(
  engine: EngineName,
  options: StoreOptions = {},
  fixed: { seed?: number; now?: number } = {},
): Promise<OpenStore> {
  const store = await openWith(await freshUrl(engine), options, fixed)
  onTestFinished(() => store.close())
  return store
}

/** A runtime without agents. */
export function runtimeFor(store: Store | string, resourceId = 'acme', version = 'v1'): Promise<Runtime> {
  return createRuntime(defineRuntime({ tenant: defineTenant(resourceId, version) }), { store })
}
