import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { documentText, type Section } from './section.ts'

/** The sections as their suites keep them, in the order of the document. */
const files = [
  'providers/compatibility',
  'mcp/compatibility',
  'schemas/compatibility',
  'package/compatibility',
  'package/paths/bundlers',
  'package/next/compatibility',
  'package/paths/runtimes',
  'package/paths/refusals',
]

test('docs/compatibility.md says what the suites found', async () => {
  const sections = files.map((name): Section => {
    const file = new URL(`../${name}.json`, import.meta.url)
    return JSON.parse(readFileSync(file, 'utf8'))
  })
  await expect(documentText(sections)).toMatchFileSnapshot('../../docs/compatibility.md')
})
