import { type Checks, option, readOptions } from '../arguments/options.ts'
import { InvalidInputError } from '../errors/index.ts'
import { openWith, type Store } from '../store/store.ts'

/** Options of a test store. */
export interface TestStoreOptions {
  /** Seed of every secret: a whole number from 0 to 2^53 - 1. The same seed gives the same ids. Default 0. */
  readonly seed?: number
  /** The time at which its clock stands, in epoch milliseconds, more than 0. Default 2026-01-01T00:00:00Z. */
  readonly now?: number
}

/** A store whose time stands still until it is moved on. */
export interface TestStore extends Store {
  /**
   * Moves its clock on by a whole number of milliseconds, at least 0.
   *
   * @throws InvalidInputError (rejected) for anything else; ClosedError
   */
  advance(milliseconds: number): Promise<void>
}

const checks: Checks<TestStoreOptions> = { seed: option.number, now: option.number }

const NEW_YEAR_2026 = Date.UTC(2026, 0, 1)

/**
 * Opens a store in memory that behaves the same in every run: a fixed clock, and one seeded stream of entropy for each
 * tenant, so that ids repeat independently of other tenants. Its secrets are as easy to guess as its seed: for tests only.
 *
 * @throws InvalidInputError (rejected) for a seed or time that will not do
 * @example
 * ```ts
 * const store = await testStore({ seed: 7 })
 * const runtime = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1') }), { store })
 * await runtime.cache.set('greeting', 'hello', { ttlMs: 1000 })
 * await store.advance(1000)
 * await runtime.cache.get('greeting') // undefined
 * ```
 */
export async function testStore(options: TestStoreOptions = {}): Promise<TestStore> {
  const { seed = 0, now = NEW_YEAR_2026 } = readOptions(options, checks)
  if (now === 0) throw new InvalidInputError('now must be more than 0, not 0.')
  // Its own root key, independent of this process's environment.
  const rootKey = new Uint8Array(32)
  return await openWith('memory:', { rootKey }, { seed, now })
}
