import type { JsonValue } from './json.ts'
import type { Page } from './page.ts'

/** Description of a stored value. Times are epoch milliseconds. */
export interface Reference {
  /** `ref_` and 32 characters of `a–z2–7`: a hash of the content, keyed for this tenant. */
  readonly id: string
  /** The reference type's name. */
  readonly type: string
  readonly mediaType: string
  /** The size of the value in bytes. */
  readonly byteLength: number
  readonly createdAt: number
  /** Time of expiry, or `null`: kept until deleted. */
  readonly expiresAt: number | null
  /** A preview of at most 1 KiB that is fit for a prompt. */
  readonly glimpse: JsonValue
}

/** A value with its reference. */
export interface Resolved {
  readonly reference: Reference
  /** The value, in an ArrayBuffer of its own and of exactly its length. */
  readonly bytes: Uint8Array<ArrayBuffer>
  /** The value as text. */
  text(): string
  /** The value as parsed JSON. */
  json<T = JsonValue>(): T
}

/** A value to store: JSON, text or bytes. */
export type ReferenceValue = JsonValue | string | Uint8Array

/** Values of a tenant under content-addressed ids. */
export interface References {
  /** Stores a value; it is durable when this resolves. Equal content has the same id and keeps the later expiry. */
  put(
    type: string,
    value: ReferenceValue,
    options?: { readonly ttlMs?: number; readonly mediaType?: string },
  ): Promise<Reference>
  /**
   * Stores at most 10,000 values. Up to 250 of them are stored in one commit: all or none. More are stored in commits of
   * 250, in order; an error between commits carries `done`, the references of the first items, which are stored. Put the rest
   * again. A malformed item is found before any is stored; a violated registered type or limit only at its commit.
   *
   * @example
   * ```ts
   * await runtime.references.putMany(items).catch((error) => console.log(`${error.done.length} of ${items.length} are kept`))
   * ```
   */
  putMany(
    items: readonly {
      readonly type: string
      readonly value: ReferenceValue
      readonly ttlMs?: number
      readonly mediaType?: string
    }[],
  ): Promise<Reference[]>
  /** Returns the value with this id. Rejects with NotFoundError. */
  resolve(id: string): Promise<Resolved>
  /** Returns the values with these ids, at most 1,000, `undefined` for a missing one. All of them must fit into `inFlightBytes`. */
  resolveMany(ids: readonly string[]): Promise<(Resolved | undefined)[]>
  /** Returns the description of the value with this id, without reading the value. Rejects with NotFoundError. */
  describe(id: string): Promise<Reference>
  /** Returns references, newest first. */
  list(options?: {
    readonly type?: string
    readonly limit?: number
    readonly cursor?: string
  }): Promise<Page<Reference>>
  /** Deletes a value. `false`: absent, expired or foreign. */
  delete(id: string): Promise<boolean>
}
