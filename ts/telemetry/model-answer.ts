import type { ModelEvent } from '../types/callbacks.ts'
import type { JsonValue } from '../types/json.ts'
import type { TokenUsage } from '../types/tenant.ts'
import type { Part } from '../types/threads.ts'
import type { ChatEnd } from './gen-ai.ts'

const reasons: readonly unknown[] = ['stop', 'length', 'tool-calls', 'content-filter', 'pause', 'other']
/** Most warnings of one answer; crates/runtime has the same number. */
const MOST_WARNINGS = 32
const counts = ['inputTokens', 'outputTokens', 'cacheReadTokens', 'cacheWriteTokens', 'reasoningTokens'] as const

/**
 * A model's answer, as far as spans record it. The model is the host's: parts of another form than expected are left
 * out here and refused by the core.
 */
export class ModelAnswer {
  readonly #keepsContent: boolean
  readonly #parts = new Map<string, Part>()
  readonly #warnings: string[] = []
  /** The tools that it calls, by their names. */
  readonly called: string[] = []
  #finish: Omit<ChatEnd, 'output' | 'warnings'> = {}

  constructor(keepsContent: boolean) {
    this.#keepsContent = keepsContent
  }

  hear(event: unknown): void {
    const said = (event ?? {}) as { readonly [K in keyof AnyEvent]?: unknown }
    const { type, id, delta, callId, tool, input, provider, message } = said
    if (type === 'tool.call' && typeof tool === 'string') this.called.push(tool)
    if (type === 'finish') {
      this.#finish = {
        usage: usageOf(said.usage),
        ...(reasons.includes(said.reason) && { finishReason: said.reason as string }),
      }
    } else if (type === 'usage') {
      this.#finish = { usage: usageOf(said.usage) }
    } else if (type === 'warning' && typeof message === 'string' && this.#warnings.length < MOST_WARNINGS) {
      this.#warnings.push(message)
    } else if (type === 'opaque' && this.#keepsContent && typeof provider === 'string') {
      this.#parts.set(`opaque ${this.#parts.size}`, { type: 'opaque', provider, data: null })
    } else if (type === 'tool.call' && this.#keepsContent && typeof tool === 'string' && typeof callId === 'string') {
      this.#parts.set(`call ${callId}`, { type: 'tool-call', callId, tool, input: inputOf(input) })
    } else if (
      (type === 'text.delta' || type === 'reasoning.delta') &&
      this.#keepsContent &&
      typeof delta === 'string'
    ) {
      const key = `${type} ${String(id)}`
      const before = (this.#parts.get(key) as { readonly text: string } | undefined)?.text ?? ''
      this.#parts.set(key, { type: type === 'text.delta' ? 'text' : 'reasoning', text: before + delta })
    }
  }

  end(): ChatEnd {
    const warnings = this.#warnings.length === 0 ? {} : { warnings: this.#warnings }
    return { ...this.#finish, ...warnings, output: [...this.#parts.values()] }
  }
}

/** Every property that an event may have. */
type AnyEvent = { [K in ModelEvent extends infer E ? (E extends unknown ? keyof E : never) : never]: unknown }

function usageOf(told: unknown): Partial<TokenUsage> {
  const given = (told ?? {}) as { readonly [name: string]: unknown }
  return Object.fromEntries(counts.filter((name) => Number.isFinite(given[name])).map((name) => [name, given[name]]))
}

function inputOf(text: unknown): JsonValue {
  try {
    return JSON.parse(String(text)) as JsonValue
  } catch {
    return String(text)
  }
}

/** These together. */
export function sumOfUsage(several: readonly Partial<TokenUsage>[]): Partial<TokenUsage> {
  const sum: { -readonly [K in keyof TokenUsage]?: number } = {}
  for (const usage of several) {
    for (const name of counts) {
      const more = usage[name]
      if (more !== undefined) sum[name] = (sum[name] ?? 0) + more
    }
  }
  return sum
}
