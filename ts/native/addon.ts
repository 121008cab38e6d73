/** An environment of the addon: one per JavaScript thread. */
export type NativeEnvironment = object & { readonly nativeEnvironment: unique symbol }

/**
 * Exports of the addon: the TypeScript side of `crates/node/src/exports.rs`, written by hand and kept equal to it.
 * Errors that these throw carry the JSON of a failure as their message.
 *
 * Nothing but `loadAddon` makes one, and nothing outside `ts/native` may hold one.
 */
export interface NativeAddon {
  /** Makes the environment of this thread; `doorbell` is called when answers are ready. */
  createEnvironment(doorbell: () => void): NativeEnvironment
  /** Starts an operation on the first `length` bytes of `arena` and returns its token. */
  submit(environment: NativeEnvironment, operation: number, target: number, arena: Uint8Array, length: number): number
  /** Writes up to `most` answers into the slab. */
  drain(environment: NativeEnvironment, slab: Uint8Array, most: number): void
  /** Copies an answer that was too large for the slab. It is gone afterwards, even if this throws. */
  take(environment: NativeEnvironment, token: number, target: Uint8Array): void
  /** Resolves the id that the slab begins with from memory into the slab. `false`: ask with `submit`. */
  resolveAtHand(environment: NativeEnvironment, handle: number, slab: Uint8Array): boolean
  createHandle(environment: NativeEnvironment, store: number, topology: number, tenant: Uint8Array): number
  /** Gives a handle back. */
  closeHandle(environment: NativeEnvironment, handle: number): void
  /** Gives a new run its ids: the slab begins with the run's and one for its thread, 36 characters each. */
  prepareRun(environment: NativeEnvironment, handle: number, requestKey: string | null, slab: Uint8Array): void
  /** Answers a callback request: `kind` 0 is a piece, 1 the answer, 2 a failure. `false`: it is no longer awaited. */
  answer(environment: NativeEnvironment, token: number, kind: number, arena: Uint8Array, length: number): boolean
  /** Gives a topology back. */
  releaseTopology(environment: NativeEnvironment, topology: number): void
  /** Checks a dumped spec strictly. */
  checkSpec(spec: Uint8Array): void
  /** Makes the next call of an export or operation panic; in test builds only. */
  armPanic?(name: string): void
  /** Continues tokens from `next`; in test builds only. */
  skipTokens?(environment: NativeEnvironment, next: number): void
}
