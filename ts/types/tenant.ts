/** The identity of a tenant. Frozen; serialises as `{"resourceId":"acme","version":"v1"}`. */
export interface Tenant {
  /** Who: the owner of every record. Compared byte by byte. */
  readonly resourceId: string
  /** The version of the tenant's configuration. Shown in dumps, never part of a storage key. */
  readonly version: string
}

/** Data sources of tools: names of environment variables, never a secret itself. Frozen JSON. */
export interface DataEnvironment {
  /** The only tenant that may use it. A spec of another tenant is refused with TenantMismatchError. */
  readonly tenantId?: string
  /** Databases by a name of your choice (`^[A-Za-z][A-Za-z0-9_-]{0,63}$`). */
  readonly databases?: { readonly [name: string]: { readonly urlEnv: string } }
}

/** A kind of state that a tenant owns. */
export type Kind = 'references' | 'plans' | 'approvals' | 'cache' | 'threads' | 'runs' | 'traces' | 'waits'

/**
 * When a run ends by itself, with a `run.limited` event that names the limit. Positive whole numbers. The smallest limit set by the
 * request, the tenant or the agent that receives the request (the entry agent) applies. If none is set, the default applies.
 */
export interface RunLimits {
  /** Most model requests, those of called agents included. Default: 64. */
  readonly maxSteps?: number
  /** Most tool calls, those of called agents included. Default: 256. */
  readonly maxToolCalls?: number
  /** Most tokens, read and written together, as far as the model counts them. Default: unlimited. */
  readonly maxTokens?: number
  /** Longest time the run is worked at, in milliseconds; waiting does not count. Default: unlimited. */
  readonly maxDurationMs?: number
}

/**
 * How much of its conversation a model is sent. What does not fit is folded: an outline stands for the oldest messages, and the
 * tool `recall` gives the model any of them back. Positive whole numbers.
 */
export interface ContextRules {
  /** Most tokens of a request, counted by the provider where it does, else estimated. Default: 100,000. */
  readonly maxTokens?: number
  /**
   * How messages are folded. `outline`, the default: counts by role and tool, and first lines, without a model. `summary`: the agent's
   * model writes a summary, at the cost of a request; if it fails, the outline is used.
   */
  readonly compact?: 'outline' | 'summary'
  /** How many of the last messages are not folded, if they fit into `maxTokens`. A large one is shown by its beginning. Default: 4. */
  readonly keepMessages?: number
}

/** Limits of one tenant: positive whole numbers. An absent limit has the default that its comment names. */
export interface Limits {
  /** The number of items kept, per kind. Default: unlimited. */
  readonly items?: { readonly [K in Kind]?: number }
  /** The bytes kept, over all kinds. Default: unlimited. */
  readonly bytes?: number
  /** The bytes of one value. Default: the 64 MiB that hold for every value. */
  readonly valueBytes?: number
  /**
   * The bytes of all calls in flight in this process: 8 KiB for each, its arguments, what it reads, and its answer until that
   * is fetched. So it bounds the number of calls, too: 32,768 by default. Default: 256 MiB.
   */
  readonly inFlightBytes?: number
  /** Approvals that wait for a decision. Default: 10,000. */
  readonly pendingApprovals?: number
  /** Waits that are open, or settled and not taken by their runs yet. Default: 1,000. */
  readonly openWaits?: number
  /** A tool result above this many bytes is kept once as a reference. Default: 4 KiB. */
  readonly inlineResultBytes?: number
  /** The limits of every run of this tenant. Default: 64 steps and 256 tool calls, unless a request sets others. */
  readonly run?: RunLimits
}

/** Lifetime of each kind: a positive number of milliseconds, or `null`: until deleted. */
export type Retention = { readonly [K in Kind]?: { readonly ttlMs: number | null } }

/** Storage, tokens and limits of a tenant. */
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
