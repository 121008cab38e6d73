import type { TokenUsage } from '../runtime/types.ts'
import { isPlainObject } from '../spec/plain-json.ts'

/**
 * What a provider counted, in the shape of any version: plain numbers until version 2, totals with their parts since
 * version 3. What it did not count is left out.
 */
export function toUsage(given: unknown): Partial<TokenUsage> {
  const usage = isPlainObject(given) ? given : {}
  const { inputTokens: input, outputTokens: output } = usage
  const isNested = isPlainObject(input) || isPlainObject(output)
  const counts = isNested ? nested(input, output) : flat(usage)
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => isCount(count)))
}

type Counts = { readonly [count in keyof TokenUsage]?: unknown }

function nested(input: unknown, output: unknown): Counts {
  const read = isPlainObject(input) ? input : {}
  const written = isPlainObject(output) ? output : {}
  return {
    inputTokens: read['total'],
    outputTokens: written['total'],
    cacheReadTokens: read['cacheRead'],
    cacheWriteTokens: read['cacheWrite'],
    reasoningTokens: written['reasoning'],
  }
}

function flat(usage: Record<string, unknown>): Counts {
  return {
    inputTokens: usage['inputTokens'],
    outputTokens: usage['outputTokens'],
    cacheReadTokens: usage['cachedInputTokens'],
    reasoningTokens: usage['reasoningTokens'],
  }
}

/** Some servers count in ways that cannot be; such a number must not end a run. */
function isCount(count: unknown): boolean {
  return Number.isSafeInteger(count) && (count as number) >= 0
}
