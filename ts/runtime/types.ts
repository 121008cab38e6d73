import type { Message } from '../spec/callbacks.ts'
import type { JsonValue } from '../spec/json-value.ts'
import type { Kind, Limits } from '../spec/limits.ts'
import type { JournaledEvent } from './run-events.ts'

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

/** Values that are kept for a while and may be computed again. */
export interface Cache {
  /** The value under this key, or `undefined`. */
  get<T = JsonValue | Uint8Array<ArrayBuffer>>(key: string): Promise<T | undefined>
  /** Keeps JSON or bytes under this key. */
  set(key: string, value: JsonValue | Uint8Array, options?: { readonly ttlMs?: number }): Promise<void>
  /** Deletes a value. `false`: there was none. */
  delete(key: string): Promise<boolean>
  /**
   * The value under this key; else computes and keeps it, once per key at a time. Failures are not kept.
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

/** What is known of a thread beside its messages. Times are epoch milliseconds. */
export interface ThreadSummary {
  readonly threadId: string
  /** How many messages it has. */
  readonly length: number
  /** Who began it: the actor of its first message. */
  readonly actor?: string
  readonly createdAt: number
  /** When it was last appended to. */
  readonly updatedAt: number
}

/** A message before it is given its id. */
export type NewMessage = Omit<Message, 'messageId' | 'createdAt'> & {
  /** Epoch milliseconds; now if it is left out. */
  readonly createdAt?: number
}

/**
 * Conversations: messages in the order in which they were appended. A thread lives as long as the retention says from its
 * last append on (default 90 days), and at least as long as a run of it waits for an approval. The references that its `file`
 * parts name live as long as the thread, unless they are deleted. What is absent, expired, deleted or another tenant's is not found, all alike.
 */
export interface Threads {
  /** Threads, those created last first; with `actor`, those that this actor began. */
  list(options?: {
    readonly actor?: string
    readonly limit?: number
    readonly cursor?: string
  }): Promise<Page<ThreadSummary>>
  /** A thread's messages, oldest first. A page of very large messages may be shorter than `limit`. Rejects with NotFoundError. */
  messages(threadId: string, page?: { readonly limit?: number; readonly cursor?: string }): Promise<Page<Message>>
  /**
   * Appends 1 to 1,000 messages of at most 8 MiB each in one commit and gives them ids. They are durable when this
   * resolves. Creates the thread if there is none.
   *
   * What is said must make sense to a model. A user's message has texts and files (models are not shown a blank one); an
   * assistant's has texts, reasoning, files, calls and opaque parts; a tool's has results. A result follows the call that it
   * answers, once. A call may be open where the messages end, so that a conversation can be imported in several appends;
   * where others follow, it has its result before the end of the append.
   *
   * Rejects with InvalidInputError for anything that is no message or breaks these rules (it names the place), NotFoundError if
   * a `file` part names a reference that is not there, ConflictError if the thread has another length than `expectedLength` (an
   * absent one has 0), ThreadBusyError while others keep writing it, or for the result of a call that a run waits for.
   *
   * @example
   * ```ts
   * const parts = [{ type: 'text', text: 'Hello' }] as const
   * await runtime.threads.append('support-17', [{ role: 'user', parts }])
   * ```
   */
  append(
    threadId: string,
    messages: readonly NewMessage[],
    options?: { readonly expectedLength?: number },
  ): Promise<Message[]>
  /**
   * Makes a new thread of a thread's messages up to and with `through`; they keep their ids. If `through` calls tools, their
   * results follow: what is known of them, or that there is none yet. Without a `threadId` of the caller's the new one is made
   * up. Rejects with NotFoundError if there is no such thread or message, with ConflictError if
   * `threadId` is taken.
   */
  fork(
    threadId: string,
    options: { readonly through: string; readonly threadId?: string },
  ): Promise<{ readonly threadId: string }>
  /**
   * Deletes a thread with its messages. A run that has it, at work or suspended, ends as cancelled first, and approvals that it
   * waits for are withdrawn. `false`: absent, expired or foreign.
   */
  delete(threadId: string): Promise<boolean>
}

interface TraceFields {
  /** Epoch milliseconds. */
  readonly at: number
  /** Its place in the journal, without gaps. */
  readonly sequence: number
}

/** Something that happened to a tenant: outside of its runs, or, with a `runId`, in one of them. */
export type TraceEvent = HostEvent | JournaledEvent

/** Something that happened to a tenant outside of its runs. */
export type HostEvent = TraceFields &
  (
    | {
        /** A query that named another tenant was refused; at most one a second is recorded. */
        readonly type: 'request.rejected'
        readonly reason: 'tenant'
      }
    | {
        /** The host's own code put a value. */
        readonly type: 'reference.created'
        /** Its id; `references.describe` says more, as long as it is there. */
        readonly reference: string
      }
    | {
        /** The host's own code saved a plan. */
        readonly type: 'plan.saved'
        readonly planId: string
        readonly version: number
        readonly hash: string
      }
    | {
        /** The tenant was erased. Only those who follow at that moment learn of it; it is the last event. */
        readonly type: 'tenant.erased'
      }
  )

/**
 * What happened to a tenant. Events are written a moment after they happen, and a crash may lose the last moment of them.
 * The newest are kept: at most 10,000 (or the limit on items of `traces`, if that is less), for 7 days unless the retention
 * says otherwise. They count for no quota.
 */
export interface Traces {
  /**
   * Events, newest first: with a `runId` those of that run, from its journal; else all, those of runs among those that belong to
   * none. Runs that overlapped in time come one after the other, the one that began last first.
   */
  list(options?: {
    readonly runId?: string
    readonly limit?: number
    readonly cursor?: string
  }): Promise<Page<TraceEvent>>
  /**
   * Events as they happen, those of runs at work in this process included, from when the iteration begins until `signal` is
   * aborted or the runtime is closed. Those of a run are in order; a run's deltas are not among them. Whoever falls far behind misses the
   * oldest: `list` and `runs.follow` have them. It keeps the process alive.
   *
   * @example
   * ```ts
   * for await (const event of runtime.traces.follow({ signal })) console.log(event.type, event.at)
   * ```
   */
  follow(options?: { readonly signal?: AbortSignal }): AsyncIterable<TraceEvent>
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
