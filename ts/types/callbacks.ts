import type { Cache } from './cache.ts'
import type { JsonObject, JsonSchema, JsonValue } from './json.ts'
import type { Reference, References, Resolved } from './references.ts'
import type { DataEnvironment, Tenant, TokenUsage } from './tenant.ts'
import type { Message } from './threads.ts'
import type { OpenCall, Resumed } from './waits.ts'

/** What a handler answers: a result, or what its call waits for. */
type ToolAnswer<O> = O | Reference | Uint8Array | OpenCall

/**
 * Does what a tool is for. It is given the validated input and answers a value, bytes or a reference; or it returns `waitFor.…`, which
 * leaves the call open: the handler is called again, with `context.resumed`, once that has ended. A value must be all there
 * as JSON: an Error, a Map, a stream or an instance without fields is refused, and so is a function.
 */
export type ToolHandler<I = unknown, O = unknown> = (
  input: I,
  context: ToolContext,
) => ToolAnswer<O> | Promise<ToolAnswer<O>>

/**
 * A tool's handler as a generator: what it yields is how far it has come, as with `context.progress` (a value that is no JSON of at most 64 KiB is
 * not shown); what it returns is the answer. It is ended when its call is over.
 */
export type ToolGenerator<I = unknown, O = unknown> = (
  input: I,
  context: ToolContext,
) => Generator<unknown, ToolAnswer<O>, undefined> | AsyncGenerator<unknown, ToolAnswer<O>, undefined>

/** Context of a tool call: frozen, and bound to the tenant of the handle that made it. */
export interface ToolContext {
  readonly tenant: Tenant
  readonly runId: string
  readonly threadId: string
  readonly callId: string
  /** The actor of the query, if it named one. */
  readonly actor?: string
  readonly references: References
  readonly cache: Cache
  readonly dataEnvironment: DataEnvironment | undefined
  /**
   * Aborted when the run is cancelled or the call's time is over. What a listener of it throws becomes a warning of the process,
   * `BAILIWICK_LISTENER_FAILED`; a signal that you derive from it (`AbortSignal.any`) is your own.
   */
  readonly signal: AbortSignal
  /** The same when a call is repeated after a crash or a wait: give it to services that must not act twice. */
  readonly idempotencyKey: string
  /** Set when the handler is called again after its call has waited: how the wait ended. */
  readonly resumed?: Resumed
  /**
   * Shows followers of the run how far the call is, as `tool.progress`. It is never stored, and takes the place of what was shown before. It does
   * nothing once the call is over.
   *
   * @param value JSON, at most 64 KiB
   * @throws InvalidInputError for another value
   */
  readonly progress: (value: unknown) => void
}

/** A model of a provider. */
export interface Model {
  /** Answers one request. It fails by throwing; `retryable` and `retryAfterMs` on the error are honoured. */
  stream(request: ModelRequest): AsyncIterable<ModelEvent>
}

/** A request to a model. */
export interface ModelRequest {
  /** The part after `provider/`. */
  readonly modelId: string
  readonly system: string
  readonly messages: readonly Message[]
  readonly tools: readonly { readonly name: string; readonly description: string; readonly inputSchema: JsonSchema }[]
  /** Schema of the final answer. */
  readonly outputSchema?: JsonSchema
  readonly settings?: ModelSettings
  readonly signal: AbortSignal
  /** The content of a `file` part. */
  resolve(id: string): Promise<Resolved>
}

/** Whose request to a model it is. */
export interface ModelCallContext {
  readonly tenant: Tenant
  readonly runId: string
  readonly agent: string
  /** `provider/model`, as the agent names it. */
  readonly model: string
}

/** A tool call, with the arguments that were validated and, if need be, approved: frozen. */
export interface ToolCall {
  readonly tool: string
  readonly input: JsonValue
  readonly context: ToolContext
}

/**
 * Hooks around the calls of models and of tool handlers, for redaction, logging and guards. They run in the async context of the run, for
 * the tenant of that run alone. An error that a hook throws is a failure of the model or the tool. `next` can be called once, as long as the
 * hook is; a hook that does not call it answers in its place.
 *
 * @example
 * ```ts
 * const around: Around = {
 *   model: (request, next) => next({ ...request, messages: redacted(request.messages) }),
 *   async tool({ tool, context }, next) {
 *     if (isBlocked(context.tenant, tool)) throw new Error('This tool is blocked.')
 *     return await next()
 *   },
 * }
 * ```
 */
export interface Around {
  /**
   * Is called with each request to a model, also when one is made again. It may give `next` a changed copy (the messages are those of later
   * requests, too), and returns the events of the answer, changed if need be. Spans show the request as it was before.
   */
  readonly model?: (
    request: ModelRequest,
    next: (request?: ModelRequest) => AsyncIterable<ModelEvent>,
    context: ModelCallContext,
  ) => AsyncIterable<ModelEvent> | Promise<AsyncIterable<ModelEvent>>
  /**
   * Is called with each call of a tool's handler whose input is valid, also when it is made again. `next` calls the handler and resolves with its
   * answer. What the hook returns is the result, and is checked as the handler's would be; to return nothing is a failure, unless
   * the handler did. It cannot change the arguments: an approval covers exactly these.
   */
  readonly tool?: (call: ToolCall, next: (call?: ToolCall) => Promise<unknown>) => unknown
}

/**
 * A piece of a model's answer. A stream without `finish` counts as a failure that may be retried. An answer has at
 * most 4 MiB and 1,024 parts: calls, opaque parts, and texts and reasonings with ids of their own. What a model writes
 * (names, ids, arguments) may be anything: mistakes in it are reported to the model. A missing field of an event fails
 * the run, with the number of the event (the first is 1), the field and what was found.
 */
export type ModelEvent =
  | {
      readonly type: 'text.delta' | 'reasoning.delta'
      readonly id: string
      readonly delta: string
      /** Takes the place of what earlier deltas of the same id gave. Leave it out where it is unchanged. */
      readonly metadata?: JsonValue
    }
  | {
      readonly type: 'tool.call'
      readonly callId: string
      readonly tool: string
      /** JSON text. */
      readonly input: string
      readonly metadata?: JsonValue
    }
  | {
      /** A part of the answer that only its provider understands: kept in its place, and given back to that provider alone. */
      readonly type: 'opaque'
      readonly provider: string
      readonly data: JsonValue
    }
  | {
      /** Tokens used so far, for an answer that breaks off: the last such event counts, and `finish` replaces it. */
      readonly type: 'usage'
      readonly usage: Partial<TokenUsage>
    }
  | {
      /** A part of the request that the provider ignored. `model.completed` shows it. */
      readonly type: 'warning'
      readonly message: string
    }
  | {
      readonly type: 'finish'
      /** `pause`: the provider continues its answer when it gets another request with the answer so far. */
      readonly reason: 'stop' | 'length' | 'tool-calls' | 'content-filter' | 'pause' | 'other'
      readonly usage: Partial<TokenUsage>
      readonly metadata?: JsonValue
    }

/** Settings of a model request. */
export interface ModelSettings {
  /** Not negative. */
  readonly temperature?: number
  /** A positive whole number of tokens. */
  readonly maxOutputTokens?: number
  /** A whole number, for providers that can repeat themselves. */
  readonly seed?: number
  /** Handed to the provider as they are. */
  readonly providerOptions?: JsonObject
}

/** An example for a model: a text, or what comes in and what should come out. */
export type PromptExample = string | { readonly input: string; readonly output: string }

/** A prompt in layers. Frozen JSON. It has no place for a tenant: business vocabulary goes in `domainKnowledge`. */
export interface Prompt {
  /** Role of the agent: "You are …". */
  readonly role?: string
  /** Its task. */
  readonly instructions: string
  /** Vocabulary of its business, e.g. `{ entities: ['product'], metrics: ['revenue'] }`. */
  readonly domainKnowledge?: JsonObject
  readonly examples?: readonly PromptExample[]
  /** Style of its answers. */
  readonly style?: string
}
