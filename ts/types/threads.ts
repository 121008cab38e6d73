import type { JsonValue } from './json.ts'
import type { Page } from './page.ts'

/** A message of a thread. */
export interface Message {
  readonly messageId: string
  readonly role: 'user' | 'assistant' | 'tool'
  readonly parts: readonly Part[]
  /** Epoch milliseconds. */
  readonly createdAt: number
  /** The run that wrote it. Of a prompt that was handed to another run: the run that was queued with it. */
  readonly runId?: string
  readonly actor?: string
  /** Whether it is incomplete, because its run was cancelled or failed meanwhile. */
  readonly interrupted?: boolean
}

/** A part of a message. `metadata` is a provider's opaque data, kept and replayed verbatim. */
export type Part = { readonly metadata?: JsonValue } & (
  | { readonly type: 'text' | 'reasoning'; readonly text: string }
  | { readonly type: 'file'; readonly reference: string; readonly mediaType: string }
  | { readonly type: 'tool-call'; readonly callId: string; readonly tool: string; readonly input: JsonValue }
  | {
      readonly type: 'tool-result'
      readonly callId: string
      readonly result: JsonValue
      readonly isError?: boolean
      /**
       * Of a call whose agent goes on while it waits: `waiting` in the place of the result, which says so, and `late` for the result,
       * in a later message of its own.
       */
      readonly state?: 'waiting' | 'late'
      /** The tool, of a late result. */
      readonly tool?: string
      /** The input with which the call was made, if a person edited it before they approved. A model is told so with the result. */
      readonly editedInput?: JsonValue
    }
  | { readonly type: 'opaque'; readonly provider: string; readonly data: JsonValue }
)

/** A thread without its messages. Times are epoch milliseconds. */
export interface ThreadSummary {
  readonly threadId: string
  /** Number of messages. */
  readonly length: number
  /** The actor of its first message. */
  readonly actor?: string
  readonly createdAt: number
  /** Time of the last append. */
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
 * parts name live as long as the thread, unless they are deleted. Absent, expired, deleted and foreign threads give the same NotFoundError.
 */
export interface Threads {
  /** Returns threads, newest first; with `actor`, those that this actor began. */
  list(options?: {
    readonly actor?: string
    readonly limit?: number
    readonly cursor?: string
  }): Promise<Page<ThreadSummary>>
  /** Returns a thread's messages, oldest first. A page of very large messages may be shorter than `limit`. Rejects with NotFoundError. */
  messages(threadId: string, page?: { readonly limit?: number; readonly cursor?: string }): Promise<Page<Message>>
  /**
   * Appends 1 to 1,000 messages of at most 8 MiB each in one commit and gives them ids. They are durable when this
   * resolves. Creates the thread if there is none.
   *
   * Messages must be valid for a model. A user's message has texts and files (models do not see a blank one); an
   * assistant's has texts, reasoning, files, calls and opaque parts; a tool's has results. A result follows the call that it
   * answers, once; a late one (`state`) names its tool. A call may be open where the messages end, so that a conversation can be imported in several appends;
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
   * results follow: the known results, or a note that there is none yet. Without a `threadId` of the caller, the package makes
   * one. Rejects with NotFoundError if there is no such thread or message, with ConflictError if
   * `threadId` is taken.
   */
  fork(
    threadId: string,
    options: { readonly through: string; readonly threadId?: string },
  ): Promise<{ readonly threadId: string }>
  /**
   * Deletes a thread with its messages. A running or suspended run of the thread is cancelled first; approvals that it
   * waits for are withdrawn, and so are those of calls that completed runs have left open, whose waits are cancelled. `false`: absent, expired or foreign.
   */
  delete(threadId: string): Promise<boolean>
}
