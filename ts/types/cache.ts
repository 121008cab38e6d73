import type { JsonValue } from './json.ts'

/** Values that are kept for a while and may be computed again. */
export interface Cache {
  /** Returns the value under this key, or `undefined`. */
  get<T = JsonValue | Uint8Array<ArrayBuffer>>(key: string): Promise<T | undefined>
  /** Stores JSON or bytes under this key. */
  set(key: string, value: JsonValue | Uint8Array, options?: { readonly ttlMs?: number }): Promise<void>
  /** Deletes a value. `false`: there was none. */
  delete(key: string): Promise<boolean>
  /**
   * Returns the value under this key, or computes and stores it, once per key at a time. Failures are not stored.
   *
   * Rejects with InvalidInputError if `compute` asks for what is being computed from it: itself, or a value whose own
   * `compute` waits for it. That is known of computations of one thread; where several threads compute values of one tenant
   * from each other, let them ask in one order.
   */
  getOrCompute<T extends JsonValue | Uint8Array>(
    key: string,
    options: { readonly ttlMs?: number },
    compute: () => T | Promise<T>,
  ): Promise<T>
}
