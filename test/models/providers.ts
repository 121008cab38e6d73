import { createAnthropic as anthropicV4 } from '@ai-sdk/anthropic'
import { createOpenAICompatible as openaiCompatibleV4 } from '@ai-sdk/openai-compatible'
import { createAnthropic as anthropicV2 } from 'ai-sdk-anthropic-v2'
import { createAnthropic as anthropicV3 } from 'ai-sdk-anthropic-v3'
import { createOpenAICompatible as openaiCompatibleV2 } from 'ai-sdk-openai-compatible-v2'
import { createOpenAICompatible as openaiCompatibleV3 } from 'ai-sdk-openai-compatible-v3'
import { fromAiSdk } from 'bailiwick/ai-sdk'
import type { Model } from '../../ts/index.ts'

/** The versions of the provider interface: the current one, the one before, and the oldest that is taken. */
export const versions = ['v4', 'v3', 'v2'] as const

export type Version = (typeof versions)[number]

/** The key that the providers are given; what is kept with a run must not have it. */
export const apiKey = 'sk-canary-5f0c'

const anthropics = { v4: anthropicV4, v3: anthropicV3, v2: anthropicV2 }
const openaiCompatibles = { v4: openaiCompatibleV4, v3: openaiCompatibleV3, v2: openaiCompatibleV2 }

/** The real `@ai-sdk/anthropic` in the release that implements a version of the interface. */
export function anthropic(version: Version, baseURL: string): Model {
  return fromAiSdk(anthropics[version]({ baseURL, apiKey }))
}

/** The real `@ai-sdk/openai-compatible` in the release that implements a version of the interface. */
export function openaiCompatible(version: Version, baseURL: string): Model {
  const create = openaiCompatibles[version]
  return fromAiSdk(create({ name: 'local', baseURL, apiKey, supportsStructuredOutputs: true, includeUsage: true }))
}
