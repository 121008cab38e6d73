import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { documentText, type Section } from './section.ts'

/** The suites that have a section, in the order of the document. */
const suites = ['providers', 'mcp', 'schemas']

test('docs/compatibility.md says what the suites found', async () => {
  const sections = suites.map((suite): Section => {
    const file = new URL(`../${suite}/compatibility.json`, import.meta.url)
    return JSON.parse(readFileSync(file, 'utf8'))
  })
  await expect(documentText(sections)).toMatchFileSnapshot('../../docs/compatibility.md')
})
