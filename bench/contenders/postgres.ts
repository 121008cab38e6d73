import { randomBytes } from 'node:crypto'
import { openStore, type Store, type StoreOptions, setupStore } from 'bailiwick'
import { Pool } from 'pg'
import { PostgresServer } from '../../scripts/test/postgres-server.mjs'

/** Number of connections per contender. */
export const CONNECTIONS = 10

/** node-postgres, its upsert and its select. */
export interface Rival {
  /** The simplest upsert, sent as text each time or prepared once on each connection. */
  put(tenant: string, key: string, value: Uint8Array, isPrepared: boolean): Promise<unknown>
  /** The simplest select. */
  get(tenant: string, key: string, isPrepared: boolean): Promise<Uint8Array>
}

/** A PostgreSQL server on this machine for both contenders. */
export interface Arena {
  /** The URL of the application, for a store of one's own. */
  readonly url: string
  /** Opens a store there, or by another way to it. It is closed with the arena. */
  open(options?: StoreOptions, url?: string): Promise<Store>
  readonly rival: Rival
  /** Of the server. */
  readonly version: string
}

const PUT = 'insert into sample values ($1, $2, $3) on conflict (tenant, key) do update set value = excluded.value'
const GET = 'select value from sample where tenant = $1 and key = $2'

/** Starts a server for some work and stops it afterwards. */
export async function inArena<T>(work: (arena: Arena) => Promise<T>): Promise<T> {
  const server = await PostgresServer.start()
  const pool = new Pool({ connectionString: server.url, max: CONNECTIONS })
  const stores: Store[] = []
  try {
    const { url } = await setupStore(server.url)
    await pool.query('create table sample (tenant text, key text, value bytea, primary key (tenant, key))')
    const { rows } = await pool.query<{ server_version: string }>('show server_version')
    const open = async (options?: StoreOptions, way = url) => {
      const store = await openStore(way, { rootKey: randomBytes(32), connections: CONNECTIONS, ...options })
      stores.push(store)
      return store
    }
    return await work({ url, open, rival: rivalOn(pool), version: rows[0]?.server_version ?? 'unknown' })
  } finally {
    for (const store of stores) await store.close()
    await pool.end()
    await server.remove()
  }
}

function rivalOn(pool: Pool): Rival {
  const named = (name: string, isPrepared: boolean) => (isPrepared ? { name } : {})
  return {
    put: (tenant, key, value, isPrepared) =>
      pool.query({ text: PUT, values: [tenant, key, value], ...named('put', isPrepared) }),
    get: async (tenant, key, isPrepared) => {
      const { rows } = await pool.query({ text: GET, values: [tenant, key], ...named('get', isPrepared) })
      return rows[0].value
    },
  }
}
