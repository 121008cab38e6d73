import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** The part of lmdb that is used here. */
export interface Lmdb {
  open(options: { path: string; encoding: 'binary'; separateFlushed: boolean; mapSize?: number }): LmdbDatabase
}

/** A database of lmdb. */
export interface LmdbDatabase {
  getBinary(key: string): Uint8Array | undefined
  put(key: string, value: Uint8Array): Promise<boolean> & { flushed: Promise<unknown> }
  close(): Promise<void>
}

/** The part of better-sqlite3 that is used here. */
export type Sqlite = new (path: string) => SqliteDatabase

/** A database of better-sqlite3. */
export interface SqliteDatabase {
  pragma(text: string): unknown
  exec(text: string): unknown
  prepare(text: string): { run(...values: unknown[]): unknown }
  close(): unknown
}

/** The part of @deno/kv that is used here. */
export interface DenoKv {
  openKv(path: string): Promise<DenoKvDatabase>
}

/** A database of @deno/kv. */
export interface DenoKvDatabase {
  get(key: readonly string[]): Promise<{ value: unknown }>
  atomic(): DenoKvAtomic
  close(): void
}

interface DenoKvAtomic {
  set(key: readonly string[], value: unknown): DenoKvAtomic
  commit(): Promise<{ ok: boolean }>
}

/** The rivals that could be installed here, and the versions of all. */
export interface Rivals {
  readonly lmdb: Lmdb | undefined
  readonly sqlite: Sqlite | undefined
  readonly denoKv: DenoKv | undefined
  readonly versions: { readonly [name: string]: string }
}

/**
 * Loads the rivals from the benchmark's own `node_modules`. A missing rival is left out, and the report says so.
 *
 * @param manifest the benchmark's package.json
 */
export function loadRivals(manifest: string): Rivals {
  const require = createRequire(manifest)
  const versions: { [name: string]: string } = {}
  const load = <T>(name: string): T | undefined => {
    try {
      const exports = require(name) as T
      const installed = join(dirname(manifest), 'node_modules', name, 'package.json')
      versions[name] = (JSON.parse(readFileSync(installed, 'utf8')) as { version: string }).version
      return exports
    } catch (error) {
      versions[name] = `not here: ${(error as Error).message.split('\n')[0]}`
      return undefined
    }
  }
  return { lmdb: load('lmdb'), sqlite: load('better-sqlite3'), denoKv: load('@deno/kv'), versions }
}
