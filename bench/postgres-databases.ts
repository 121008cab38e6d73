import { PostgresServer } from '../scripts/test/postgres-server.mjs'
import type { DurableContender } from './contenders/durable/task.ts'

/** Returns the URL of a database that does not exist yet. */
export type NewDatabase = () => string

/** Starts a PostgreSQL server for some work, if a contender needs one, and stops it afterwards. */
export async function withDatabases<T>(
  contenders: readonly Pick<DurableContender, 'keeps'>[],
  work: (newDatabase: NewDatabase) => Promise<T>,
): Promise<T> {
  if (contenders.every(({ keeps }) => keeps !== 'postgres')) return work(() => '')
  const server = await PostgresServer.start()
  let databases = 0
  try {
    return await work(() => {
      databases += 1
      return server.url.replace(/\/postgres$/, `/bench_${databases}`)
    })
  } finally {
    await server.remove()
  }
}
