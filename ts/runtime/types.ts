import type { JsonValue } from '../spec/json-value.ts'
import type { Kind, Limits } from '../spec/limits.ts'

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
  readonly bytes: Uint8Array
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
  /** Keeps several values in one commit. */
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
  /** The values with these ids, `undefined` where there is none. */
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

/** Values that are kept for a while and may be computed again. */
export interface Cache {
  /** The value under this key, or `undefined`. */
  get<T = JsonValue | Uint8Array>(key: string): Promise<T | undefined>
  /** Keeps JSON or bytes under this key. */
  set(key: string, value: JsonValue | Uint8Array, options?: { readonly ttlMs?: number }): Promise<void>
  /** Deletes a value. `false`: there was none. */
  delete(key: string): Promise<boolean>
  /** The value under this key; else computes and keeps it, once per key at a time. Failures are not kept. */
  getOrCompute<T extends JsonValue | Uint8Array>(
    key: string,
    options: { readonly ttlMs?: number },
    compute: () => T | Promise<T>,
  ): Promise<T>
}

/** A part of a list. */
export interface Page<T> {
  readonly items: T[]
  /** Where to go on; opaque, sealed and bound to the tenant. Absent at the end. */
  readonly cursor?: string
}

/** What a tenant uses. */
export interface Usage {
  readonly storage: { readonly [K in Kind]: { readonly items: number; readonly bytes: number } }
  /** By model. These only grow. */
  readonly tokens: { readonly [model: string]: TokenUsage }
  readonly limits: Limits
}

/** Tokens that a model read and wrote. */
export interface TokenUsage {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cacheReadTokens: number
  readonly cacheWriteTokens: number
  readonly reasoningTokens: number
}
