import process from 'node:process'
import { inject, onTestFinished } from 'vitest'
import { ROOT_KEY_VARIABLE } from '../../ts/store/root-keys.ts'
import type { TestDatabase } from './database-server.ts'

/**
 * A PostgreSQL database that is gone when the test is over; `bare`: one that is not set up.
 *
 * No root key is kept beside such a store, so until then there is one in the environment, for whoever brings none.
 */
export async function freshDatabase(state: 'ready' | 'bare' = 'ready'): Promise<TestDatabase> {
  const database = await makeDatabase(state)
  onTestFinished(async () => {
    delete process.env[ROOT_KEY_VARIABLE]
    await dropDatabase(database)
  })
  process.env[ROOT_KEY_VARIABLE] ??= Buffer.alloc(32, 7).toString('base64')
  return database
}

/** A database for whoever drops it himself. */
export async function makeDatabase(state: 'ready' | 'bare' = 'ready'): Promise<TestDatabase> {
  const asked = await fetch(`${inject('databases')}/${state === 'bare' ? 'bare' : ''}`, { method: 'POST' })
  if (!asked.ok) throw new Error(await asked.text())
  return (await asked.json()) as TestDatabase
}

export async function dropDatabase({ name }: TestDatabase): Promise<void> {
  const dropped = await fetch(`${inject('databases')}/${name}`, { method: 'DELETE' })
  if (!dropped.ok) throw new Error(await dropped.text())
}
