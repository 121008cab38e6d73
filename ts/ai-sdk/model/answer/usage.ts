import { isPlainObject } from '../../../spec/checks/plain-json.ts'
import type { TokenUsage } from '../../../types/tenant.ts'

/**
 * Reads a provider's token counts in the shape of any version: plain numbers until version 2, totals with their parts since
 * version 3. What it did not count is left out.
 */
export function toUsage(given: unknown): Partial<TokenUsage> {
  const usage = isPlainObject(given) ? given : {}
  const { inputTokens: input, outputTokens: output } = usage
  const isNested = isPlainObject(input) || isPlainObject(output)
  const counts = isNested ? nested(input, output) : flat(usage)
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => isCount(count)))
}

/**
 * Reads the tokens used so far from a part of the stream that reports them: the beginning of an answer of Anthropic, and what Gemini says with
 * each piece. Other providers tell at the end alone.
 */
export function usageSoFar(part: Readonly<Record<string, unknown>>): Partial<TokenUsage> | undefined {
  const counts = ofAnthropic(part) ?? ofGemini(part['rawValue'])
  if (counts === undefined) return undefined
  const usage = Object.fromEntries(Object.entries(counts).filter(([, count]) => isCount(count)))
  return Object.keys(usage).length === 0 ? undefined : usage
}

/** The usage of a `message_start`, as the newest versions hand it over or as it came. */
function ofAnthropic({ providerMetadata, rawValue }: Readonly<Record<string, unknown>>): Counts | undefined {
  const raw = isPlainObject(rawValue) && rawValue['type'] === 'message_start' ? rawValue['message'] : undefined
  const messages = [raw, ...(isPlainObject(providerMetadata) ? Object.values(providerMetadata) : [])]
  const usage = messages.map((message) => (isPlainObject(message) ? message['usage'] : undefined)).find(isPlainObject)
  if (usage === undefined) return undefined
  const { input_tokens: input, cache_read_input_tokens: read, cache_creation_input_tokens: written } = usage
  return {
    inputTokens: sum(input, read, written),
    outputTokens: usage['output_tokens'],
    cacheReadTokens: read,
    cacheWriteTokens: written,
  }
}

function ofGemini(rawValue: unknown): Counts | undefined {
  const usage = isPlainObject(rawValue) ? rawValue['usageMetadata'] : undefined
  if (!isPlainObject(usage)) return undefined
  return {
    inputTokens: usage['promptTokenCount'],
    outputTokens: sum(usage['candidatesTokenCount'], usage['thoughtsTokenCount']),
    cacheReadTokens: usage['cachedContentTokenCount'],
    reasoningTokens: usage['thoughtsTokenCount'],
  }
}

function sum(...counts: unknown[]): number {
  return counts.filter(isCount).reduce<number>((total, count) => total + (count as number), 0)
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
