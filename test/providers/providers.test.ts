import { createAnthropic as anthropicV2 } from 'ai-sdk-anthropic-v2'
import { createAnthropic as anthropicV3 } from 'ai-sdk-anthropic-v3'
import { createOpenAICompatible as openaiCompatibleV2 } from 'ai-sdk-openai-compatible-v2'
import { createOpenAICompatible as openaiCompatibleV3 } from 'ai-sdk-openai-compatible-v3'
import { describe, expect, test } from 'vitest'
import { sectionText } from '../compatibility/section.ts'
import { tryAnswers } from './answers.ts'
import { tryAnyHistory, tryHistories } from './histories.ts'
import { anthropic } from './packages/anthropic.ts'
import { openaiCompatible } from './packages/chat.ts'
import { providers } from './packages/index.ts'
import { tryRuns } from './runs.ts'
import { type Feature, note, section } from './table.ts'

describe.each(providers.map((provider) => [provider.package, provider] as const))('%s', (_name, provider) => {
  /** A test of what the provider offers, or a note that it does not. */
  function cell<T>(feature: Feature, offered: T | undefined, body: (offered: T) => Promise<void>): void {
    test(feature, async () => {
      if (offered !== undefined) await body(offered)
      note(provider, feature, offered === undefined ? 'not offered' : 'works')
    })
  }
  tryRuns(provider, cell)
  tryAnswers(provider, cell)
  tryHistories(provider, cell)
})

const older = [
  ['@ai-sdk/anthropic 3', { ...anthropic, create: (baseURL: string) => anthropicV3({ apiKey: 'key', baseURL }) }],
  ['@ai-sdk/anthropic 2', { ...anthropic, create: (baseURL: string) => anthropicV2({ apiKey: 'key', baseURL }) }],
  [
    '@ai-sdk/openai-compatible 2',
    { ...openaiCompatible, create: (baseURL: string) => openaiCompatibleV3({ name: 'local', baseURL }) },
  ],
  [
    '@ai-sdk/openai-compatible 1',
    { ...openaiCompatible, create: (baseURL: string) => openaiCompatibleV2({ name: 'local', baseURL }) },
  ],
] as const

test.each(older)('any history, %s', async (_name, provider) => {
  await tryAnyHistory(provider)
})

test('the table of docs/compatibility.md is what these tests found', async () => {
  await expect(sectionText(section())).toMatchFileSnapshot('./compatibility.json')
})
