import { describe, expect, test } from 'vitest'
import { sectionText } from '../compatibility/section.ts'
import { tryAnswers } from './answers.ts'
import { tryHistories } from './histories.ts'
import { providers } from './packages/index.ts'
import { tryRuns } from './runs.ts'
import { type Feature, note, section, titleOf } from './table.ts'

describe.each(providers.map((provider) => [provider.package, provider] as const))('%s', (_name, provider) => {
  /** A test of what the provider offers, or a note that it does not. */
  function cell<T>(feature: Feature, offered: T | undefined, body: (offered: T) => Promise<void>): void {
    test(titleOf(feature), async () => {
      if (offered !== undefined) await body(offered)
      note(provider, feature, offered === undefined ? 'not offered' : 'works')
    })
  }
  tryRuns(provider, cell)
  tryAnswers(provider, cell)
  tryHistories(provider, cell)
})

test('the table of docs/compatibility.md is what these tests found', async () => {
  await expect(sectionText(section())).toMatchFileSnapshot('./compatibility.json')
})
