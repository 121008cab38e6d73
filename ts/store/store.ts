import { assertNumber, assertSize, assertText, isBytes } from '../arguments/checks.ts'
import { type Checks, type Given, option, readOptions } from '../arguments/options.ts'
import { VERSION } from '../common/version.ts'
import { InvalidInputError } from '../errors/index.ts'
import { bridge } from '../native/bridge.ts'
import { byteLengthOf, type Message } from '../native/message.ts'
import { Operation } from '../native/operations.ts'
import { flag, json, noArguments, nothing, Session } from '../session/session.ts'
import { ROOT_KEY_BYTES, ROOT_KEY_VARIABLE, rememberRootKey, rememberVariable } from './root-keys.ts'
import { looksLikeUrl, maySayPassword, readStoreWord, storeUrlOf } from './store-word.ts'

const LOCAL_KEY = 0
const GIVEN_KEY = 1
const BASE64_KEY = 2

const storeChecks: Checks<StoreOptions> = {
  rootKey: option.any,
  rootKeyEnv: option.any,
  cacheBytes: option.number,
  connections: option.number,
  openedCacheBytes: option.number,
}

/** Options of `openStore`. */
export interface StoreOptions {
  /** The 32 bytes that wrap every key of the store, or a function that fetches them. They are never stored with the data. */
  readonly rootKey?: Uint8Array | (() => Promise<Uint8Array>)
  /**
   * The environment variable that holds the root key as base64. Default `BAILIWICK_ROOT_KEY`, if it is set. Without any
   * key, a new `sled:` store makes one and keeps it in `root.key` in its directory. No spec may name this variable, nor any
   * other that holds the root key of an open store.
   */
  readonly rootKeyEnv?: string
  /** The size of the cache of a `sled:` store's engine in bytes, at least 1 MiB. Default 128 MiB. */
  readonly cacheBytes?: number
  /** The most connections that this process opens to a PostgreSQL server, from 1 to 1,000. Default 10. */
  readonly connections?: number
  /** Size of the cache of decrypted records in bytes, over all tenants. Default 64 MiB. */
  readonly openedCacheBytes?: number
}

/** Health of a store. */
export interface StoreHealth {
  /** Whether it accepts writes. */
  readonly ok: boolean
  /** Problems, for an operator; nothing of any tenant. */
  readonly problems: readonly string[]
}

/** Figures about an open store, none of them about a tenant. */
export interface StoreStats {
  /** Tenants with an open runtime or a call in flight in this process. */
  readonly tenants: number
  /** Bytes in the cache of decrypted records. */
  readonly openedBytes: number
  /** Records that were read for one tenant and belong to another. Any value but 0 means an attack or a bug. */
  readonly alarms: number
}

/** Result of a sweep. */
export interface StoreSweep {
  /** Expired rows that were removed. */
  readonly removed: number
  /** Approvals whose time had passed; their ledgers now record the expiry. */
  readonly expiredApprovals: number
  /** Interrupted erases of tenants that were finished. */
  readonly erased: number
}

/** Result of a compaction. Both are 0 in memory and on PostgreSQL, where there is nothing to do. */
export interface StoreCompaction {
  /** The bytes of rows on the disk before it, replaced and removed ones among them. */
  readonly bytesBefore: number
  /** The bytes of rows on the disk after it. */
  readonly bytesAfter: number
}

/** Contents of a backup. */
export interface StoreBackup {
  /** Records, their parts and the rows of lists. */
  readonly rows: number
  /** The bytes of their sealed values. */
  readonly bytes: number
}

/** Result of a check of a whole store. */
export interface StoreCheck {
  /** Whether there are no problems. */
  readonly ok: boolean
  readonly tenants: number
  readonly rows: number
  /** The bytes of sealed values. */
  readonly bytes: number
  /** Number of problems. */
  readonly count: number
  /** The first 100 problems, without the names of tenants. */
  readonly problems: readonly string[]
}

/**
 * An open store. No method of it reads or lists a tenant's data: a runtime does that.
 *
 * All openers of the same place in one process share one engine, worker threads included; it closes with the last
 * of them.
 */
export interface Store extends AsyncDisposable {
  /** The URL it was opened with; of a PostgreSQL URL `postgres://role@host:port/database`, without password and settings. */
  readonly url: string
  /**
   * Public key that verifies the checkpoints, proofs and receipts of this store: a C2SP verifier key named `bailiwick/<store id>`,
   * the same whenever the store is opened. Give it to auditors.
   */
  readonly publicKey: string
  /** Returns the health of the store. Rejects with ClosedError. */
  health(): Promise<StoreHealth>
  /** Returns figures for an operator. Rejects with ClosedError. */
  stats(): Promise<StoreStats>
  /**
   * Removes expired rows, records expired approvals, and finishes interrupted erases. The store does this
   * by itself about once a minute; a test store, whose clock stands still, does it only here.
   *
   * Rejects with StoreCorruptError if a tenant is damaged; the other tenants were swept.
   */
  sweep(): Promise<StoreSweep>
  /**
   * Gives the space of replaced and removed records back to the disk at once. A `sled:` store does it by itself once more than half of
   * the rows, and 4 MiB or more, are of no use.
   *
   * Rejects with StoreUnavailableError if the disk has no space for what is kept; then nothing has changed.
   */
  compact(): Promise<StoreCompaction>
  /**
   * Copies everything into a directory that is not there yet or is empty, consistently, while the store is in use. The copy is a
   * store itself, `sled:<directory>`, but for the root key: without it nothing in it can be read. It is there as a whole
   * or not at all.
   *
   * Rejects with InvalidInputError if there is something in the directory, ConflictError if tenants
   * kept being erased meanwhile.
   *
   * @example
   * ```ts
   * await store.backup('./backups/monday')
   * const copy = await openStore('sled:./backups/monday', { rootKey })
   * ```
   */
  backup(directory: string): Promise<StoreBackup>
  /**
   * Replaces the root key while the store is in use, without changing a record. From when this resolves, the store opens with
   * `next` alone; one that keeps its key in `root.key` still does. It wraps the keys of every tenant anew, so it takes
   * longer the more tenants there are. If it is interrupted, the next opening of the store completes it, or it had not begun: keep both keys
   * until it has resolved. Does nothing if `next` is the root key already.
   *
   * Earlier backups open with the old key only. Once that is destroyed, they cannot be read: so a rotation also puts
   * erased tenants beyond the reach of old backups.
   *
   * Other processes that have the store open, where the engine allows that, have to open it again.
   *
   * @param next exactly 32 bytes, kept outside the data
   * Rejects with InvalidInputError if it is something else, or if another process rotated the root key meanwhile.
   *
   * @example
   * ```ts
   * await store.rotateRootKey(next)
   * await store.backup('./backups/tuesday')
   * ```
   */
  rotateRootKey(next: Uint8Array): Promise<void>
  /** Closes the store and its runtimes, which throw ClosedError from then on. A second call does nothing. */
  close(): Promise<void>
}

/** Marks stores, so that another copy of this package recognises them. */
const brand: unique symbol = Symbol.for('bailiwick.store')

/** Returns the version of the other copy of this package that opened a store; `undefined` for anything else. */
export function foreignVersion(store: unknown): string | undefined {
  try {
    const version = (store as { readonly [brand]?: unknown })[brand]
    return typeof version === 'string' ? version.slice(0, 64) : undefined
  } catch {
    return undefined
  }
}

/** The one implementation of `Store`. */
export class OpenStore implements Store {
  readonly url: string
  readonly publicKey: string
  /** Holds the store's number in the core, so it is private: code that could set the number would reach another store. */
  readonly #session: Session
  #closing: Promise<void> | undefined

  constructor(url: string, publicKey: string, session: Session) {
    this.url = url
    this.publicKey = publicKey
    this.#session = session
    Object.freeze(this)
  }

  /** The calls to a store in the core. */
  static sessionOf(store: OpenStore): Session {
    return store.#session
  }

  /** @internal */
  get [brand](): string {
    return VERSION
  }

  health(): Promise<StoreHealth> {
    return this.#session.call(Operation.storeHealth, noArguments, json<StoreHealth>)
  }

  stats(): Promise<StoreStats> {
    return this.#session.call(Operation.storeStats, noArguments, json<StoreStats>)
  }

  sweep(): Promise<StoreSweep> {
    return this.#session.call(Operation.storeSweep, noArguments, json<StoreSweep>)
  }

  compact(): Promise<StoreCompaction> {
    return this.#session.call(Operation.storeCompact, noArguments, json<StoreCompaction>)
  }

  backup(directory: string): Promise<StoreBackup> {
    const prepare = () => {
      assertText(directory, 'directory')
      if (directory === '' || directory.includes('\0')) {
        throw new InvalidInputError('A backup needs the name of a directory, such as ./backup.')
      }
      if (maySayPassword(directory) || looksLikeUrl(directory)) {
        throw new InvalidInputError(
          'A backup needs a path, such as ./backup, and this looks like a URL. It is not repeated, for it may hold a password.',
        )
      }
      return (message: Message) => message.text(directory)
    }
    return this.#session.call(Operation.storeBackup, prepare, json<StoreBackup>)
  }

  rotateRootKey(next: Uint8Array): Promise<void> {
    const prepare = () => {
      if (!isBytes(next) || byteLengthOf(next) !== ROOT_KEY_BYTES) {
        throw new InvalidInputError('The next root key must be a Uint8Array of exactly 32 bytes.')
      }
      rememberRootKey(next)
      return (message: Message) => message.byteString(next)
    }
    return this.#session.call(Operation.rotateRootKey, prepare, nothing)
  }

  /** Reads every row and returns the problems. No other process may write to the store meanwhile. */
  check(): Promise<StoreCheck> {
    return this.#session.call(Operation.storeCheck, noArguments, json<StoreCheck>)
  }

  /** Moves a fixed clock on. Rejects with InvalidInputError if the store has the system's. */
  async advance(milliseconds: number): Promise<void> {
    const prepare = () => {
      assertNumber(milliseconds, 'milliseconds')
      return (message: Message) => message.optionalNumber(milliseconds)
    }
    const moved = await this.#session.call(Operation.advanceClock, prepare, flag)
    if (!moved) throw new InvalidInputError('This store uses the system clock, which cannot be advanced.')
  }

  close(): Promise<void> {
    this.#session.close()
    this.#closing ??= this.#release()
    return this.#closing
  }

  async #release(): Promise<void> {
    try {
      await this.#session.submit(Operation.closeStore, nothing, nothing)
    } catch (error) {
      // It may be tried again.
      this.#closing = undefined
      throw error
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/**
 * Opens a store.
 *
 * @param url `sled:<path>` for a directory of this machine, or its path alone where that begins with `./`, `../`, `/` or
 *   `C:\\`; `memory:` for a new store in memory, `memory:<name>` for one that is shared in this process; `postgres://…` for a
 *   database that `setupStore` has made ready and that many processes may share; that one needs a root key
 * @throws InvalidInputError (rejected) for a URL, directory or root key that will not do; StoreLockedError while another
 *   process has the directory; StoreCorruptError, StoreUnavailableError
 *
 * @example
 * ```ts
 * const store = await openStore('sled:./data')
 * ```
 */
export async function openStore(url: string, options: StoreOptions = {}): Promise<Store> {
  return await openWith(url, options, {})
}

/**
 * Prepares a PostgreSQL database: its schema, the role of the application and its rights. A second call updates
 * an older schema and changes nothing else.
 *
 * @param ownerUrl the URL of a role that owns the database and may create roles, or of a superuser
 * @returns the URL for the application. Its password is in it only if this call made the role: keep it
 * @throws InvalidInputError (rejected) for a URL or a role that will not do, or tables of a newer version;
 *   StoreUnavailableError. Then nothing was changed
 *
 * @example
 * ```ts
 * const { url } = await setupStore('postgres://owner:password@db.example/app')
 * ```
 */
export async function setupStore(ownerUrl: string): Promise<{ url: string }> {
  assertText(ownerUrl, 'ownerUrl')
  const read = readStoreWord(ownerUrl)
  if (read.kind === 'refused') throw new InvalidInputError(read.problem)
  if (read.kind !== 'database') {
    throw new InvalidInputError('A set-up needs the URL of a database: postgres://owner:password@host/database.')
  }
  const write = (message: Message) => message.text(ownerUrl)
  return await bridge().submit(Operation.setupStore, 0, write, (answer) => answer.json<{ url: string }>())
}

/** Opens a store whose clock and entropy may be fixed; with `mustExist`, only an existing one. */
export async function openWith(
  word: string,
  options: StoreOptions,
  fixed: { readonly seed?: number; readonly now?: number; readonly mustExist?: boolean },
): Promise<OpenStore> {
  assertText(word, 'url')
  const url = storeUrlOf(word)
  const { cacheBytes, openedCacheBytes, connections, ...key } = readOptions(options, storeChecks)
  const writeKey = await rootKeyWriter(key)
  const native = bridge()
  const write = (message: Message) => {
    message.text(url)
    writeKey(message)
    message.optionalNumber(cacheBytes).optionalNumber(openedCacheBytes).optionalNumber(connections)
    message.optionalNumber(fixed.seed).optionalNumber(fixed.now)
    message.u8(fixed.mustExist === true ? 1 : 0)
  }
  return await native.submit(Operation.openStore, 0, write, (answer) => {
    const number = answer.u32()
    const publicKey = answer.text(answer.u32())
    return new OpenStore(answer.text(answer.u32()), publicKey, new Session(native, number))
  })
}

/** Returns a writer of the root key that the options name, or of its absence. */
export async function rootKeyWriter({
  rootKey,
  rootKeyEnv,
}: Given<Pick<StoreOptions, 'rootKey' | 'rootKeyEnv'>>): Promise<(message: Message) => void> {
  if (rootKey !== undefined) {
    const bytes = typeof rootKey === 'function' ? await rootKey() : rootKey
    if (!isBytes(bytes)) throw new InvalidInputError('rootKey must be a Uint8Array of exactly 32 bytes.')
    assertSize(byteLengthOf(bytes))
    rememberRootKey(bytes)
    return (message) => message.u8(GIVEN_KEY).byteString(bytes)
  }
  if (rootKeyEnv !== undefined) assertText(rootKeyEnv, 'rootKeyEnv')
  const text = process.env[rootKeyEnv ?? ROOT_KEY_VARIABLE]
  if (text !== undefined && text !== '') {
    assertText(text, 'The root key')
    rememberVariable(rootKeyEnv ?? ROOT_KEY_VARIABLE)
    rememberRootKey(text)
    return (message) => message.u8(BASE64_KEY).text(text)
  }
  if (rootKeyEnv !== undefined) {
    // Anything but a name is not repeated: it may be the key itself.
    const name = /^[A-Za-z_]\w*$/.test(rootKeyEnv) ? ` ${rootKeyEnv}` : ' that rootKeyEnv should name'
    throw new InvalidInputError(`The environment variable${name} is not set. It should hold the root key as base64.`)
  }
  return (message) => message.u8(LOCAL_KEY)
}
