import type { JsonValue } from './json.ts'
import type { Page } from './page.ts'

/** What is known of a value that is kept under a reference. Times are epoch milliseconds. */
export interface Reference {
  /** `ref_` and 32 characters of `a–z2–7`: a hash of the content, keyed for this tenant. */
  readonly id: string
  /** The reference type's name. */
  readonly type: string
  readonly mediaType: string
  /** The size of the value in bytes. */
  readonly byteLength: number
  readonly createdAt: number
  /** When it is gone, or `null`: kept until deleted. */
  readonly expiresAt: number | null
  /** A summary of at most 1 KiB that is fit for a prompt. */
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

/** A value to keep: JSON, text or bytes. */
export type ReferenceValue = JsonValue | string | Uint8Array

/** The values that a tenant keeps by their content. */
export interface References {
  /** Keeps a value; it is durable when this resolves. Equal content has the same id and keeps the later expiry. */
  put(
    type: string,
    value: ReferenceValue,
    options?: { readonly ttlMs?: number; readonly mediaType?: string },
  ): Promise<Reference>
  /**
   * Keeps several values, at most 10,000. Up to 250 of them are kept in one commit: all or none. More are kept in commits of
   * 250, in order; what cuts that off rejects with `done`, the references of the first items, which are kept. Put the others
   * again. What is wrong with an item by itself is found before any is kept, unless a registered type or a limit says it.
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
  /** The value with this id. Rejects with NotFoundError. */
  resolve(id: string): Promise<Resolved>
  /** The values with these ids, at most 1,000, `undefined` where there is none. All of them must fit into `inFlightBytes`. */
  resolveMany(ids: readonly string[]): Promise<(Resolved | undefined)[]>
  /** What is known of the value with this id; the value itself is not read. Rejects with NotFoundError. */
  describe(id: string): Promise<Reference>
  /** References, newest first. */
  list(options?: {
    readonly type?: string
    readonly limit?: number
    readonly cursor?: string
  }): Promise<Page<Reference>>
  /** Deletes a value. `false`: absent, expired or foreign. */
  delete(id: string): Promise<boolean>
}
