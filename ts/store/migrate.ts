import { assertText } from '../arguments/checks.ts'
import { type Bridge, bridge } from '../native/bridge.ts'
import type { Message } from '../native/message.ts'
import { Operation } from '../native/operations.ts'
import { rootKeyWriter, type StoreOptions } from './store.ts'

/** Result of a migration. */
export interface Migrated {
  /** Source and target, without passwords. */
  readonly from: string
  readonly to: string
  /** Whether its root key lies in the directory where it was. */
  readonly hasKeyBeside: boolean
  /** Tenants migrated. These fields are absent if an earlier call had migrated everything. */
  readonly tenants?: number
  readonly rows?: number
  /** The bytes of sealed values. */
  readonly bytes?: number
  /** The rows that earlier calls had not written. */
  readonly written?: number
}

/** Progress so far. */
export interface MigratedSoFar {
  /** Rows that are in the new place, and how many of them were compared with those in the old one. */
  readonly copied: number
  readonly compared: number
}

/** A migration in progress. */
export interface Migration {
  readonly result: Promise<Migrated>
  soFar(): Promise<MigratedSoFar>
}

/**
 * Moves a whole store to another place. After an interruption, call it again with the same URLs until the result resolves.
 * The result rejects with InvalidInputError for places and root keys that will not do, StoreLockedError or ConflictError if others
 * have the store open, StoreCorruptError if it is damaged.
 */
export async function migrate(from: string, to: string, options: StoreOptions): Promise<Migration> {
  assertText(from, 'from')
  assertText(to, 'to')
  const writeKey = await rootKeyWriter(options)
  const native: Bridge = bridge()
  const write = (message: Message) => writeKey(message.text(from).text(to))
  return {
    result: native.submit(Operation.migrate, 0, write, (answer) => answer.json<Migrated>()),
    soFar: () =>
      native.submit(
        Operation.migratedSoFar,
        0,
        () => {},
        (answer) => answer.json<MigratedSoFar>(),
      ),
  }
}
