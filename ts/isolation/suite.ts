import { type Checks, type Given, option, readOptions } from '../arguments/options.ts'
import { createRuntime, InvalidInputError, openStore, type Store, type StoreOptions } from '../index.ts'
import { assertSame } from './answers.ts'
import { callbackCells } from './cells/callbacks.ts'
import type { CellPlan, IsolationCell } from './cells/cell.ts'
import { cursorCells } from './cells/cursors.ts'
import { handleCells } from './cells/handle.ts'
import { nameCells } from './cells/names.ts'
import { oneAnswerCells } from './cells/one-answer.ts'
import type { Environment, OpenRuntime } from './environment.ts'

/** Default lifetime of records that must expire, in milliseconds. */
const EXPIRY_MS = 500

/** Options of the isolation suite. */
export interface IsolationOptions extends Pick<StoreOptions, 'rootKey' | 'rootKeyEnv'> {
  /** The store's URL. One that is not there is made. */
  readonly url?: string
  /** An open store instead of a URL. It stays open. */
  readonly store?: Store
  /** Function that opens runtimes, if your code wraps `createRuntime`. Default `createRuntime`. */
  readonly createRuntime?: OpenRuntime
  /** Moves the store's clock on: the `advance` of a test store. Without it the suite waits for what is to expire. */
  readonly advance?: (milliseconds: number) => Promise<void>
  /** Lifetime of records that must expire, in milliseconds: longer than a few commits take. Default 500. */
  readonly expiryMs?: number
  /**
   * Whether the store holds no other data. Tenants are then also called `*`, `..` or `__proto__` and nothing else; without
   * it, every tenant's name begins with something random, so that none of yours is met. Default false.
   */
  readonly emptyStore?: boolean
}

const checks: Checks<IsolationOptions> = {
  url: option.any,
  store: option.any,
  createRuntime: option.function,
  advance: option.function,
  expiryMs: option.any,
  emptyStore: option.flag,
  rootKey: option.any,
  rootKeyEnv: option.any,
}

/** The cells of one store. */
export interface IsolationSuite {
  /** The cells: one promise each. */
  readonly cells: readonly IsolationCell[]
  /** Opens the store, which the first cell that runs does otherwise. Rejects with what `openStore` rejects with. */
  open(): Promise<void>
  /** Closes the store if the suite opened it. The tenants of each cell are erased at its end. */
  close(): Promise<void>
}

/**
 * The tests that every engine of bailiwick must pass, for any test runner: what one tenant is answered does not depend on
 * what others have.
 *
 * Give it a URL to check a store, or what you put before `createRuntime` to check that.
 *
 * @throws InvalidInputError unless there is either a URL or a store, and `expiryMs` is a whole number from 1
 * @example
 * ```ts
 * const suite = isolationSuite({ url: 'sled:./isolation-test' })
 * after(() => suite.close())
 * for (const { name, run } of suite.cells) test(name, run)
 * ```
 */
export function isolationSuite(given: IsolationOptions): IsolationSuite {
  const options = readOptions(given, checks)
  assertUsable(options)
  let opened: Promise<Environment> | undefined
  const environment = () => {
    opened ??= environmentOf(options)
    return opened
  }
  const plans = [
    ...handleCells(),
    ...callbackCells(),
    ...nameCells(options.emptyStore === true),
    ...cursorCells(),
    ...oneAnswerCells(),
  ]
  return {
    cells: plans.map((plan) => cellOf(plan, environment)),
    open: async () => void (await environment()),
    close: async () => {
      const store = await opened?.then(
        (where) => where.store,
        // A store that did not open needs no close.
        () => undefined,
      )
      if (options.store === undefined) await store?.close()
    },
  }
}

function assertUsable({ url, store, expiryMs = EXPIRY_MS }: Given<IsolationOptions>): void {
  if ((url === undefined) === (store === undefined)) {
    throw new InvalidInputError('The isolation suite takes the url of a store, or an open store: one of them.')
  }
  if (!(Number.isSafeInteger(expiryMs) && expiryMs > 0)) {
    throw new InvalidInputError('expiryMs must be a whole number of milliseconds, at least 1.')
  }
}

async function environmentOf(options: Given<IsolationOptions>) {
  const { url, store, createRuntime: own, advance, expiryMs, rootKey, rootKeyEnv } = options
  const keys = { ...(rootKey && { rootKey }), ...(rootKeyEnv && { rootKeyEnv }) }
  return {
    store: store ?? (await openStore(url ?? '', keys)),
    openRuntime: own ?? createRuntime,
    expiryMs: expiryMs ?? EXPIRY_MS,
    advance,
  }
}

function cellOf({ row, kind, verb, what, attempt }: CellPlan, environment: () => Promise<Environment>): IsolationCell {
  const run = async () => {
    const where = await environment()
    const { alarms } = await where.store.stats()
    await attempt(where)
    assertSame('reported as read of others', (await where.store.stats()).alarms, 'reported before', alarms)
  }
  return { row, kind, verb, name: `${row}: ${verb}: ${what}`, run }
}
