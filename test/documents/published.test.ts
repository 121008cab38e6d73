import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { linksOf } from '../../scripts/check/links.mjs'
import { inRoot } from '../../scripts/lib/root.mjs'

const { files, keywords } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8')) as {
  files: string[]
  keywords: string[]
}

/** Documents that are read where the package is published, away from the sources. */
const documents = files.filter((file) => file.endsWith('.md'))

test.each(documents)('every relative link of %s leads to a file of the package', (document) => {
  const links = linksOf(readFileSync(inRoot(document), 'utf8')).filter((link) => !/^[a-z][a-z0-9+.-]*:/i.test(link))
  const targets = links.map((link) => link.split('#')[0] ?? '').filter((target) => target !== '')
  const outside = targets.filter(
    (target) => !files.some((file) => target === file || target.startsWith(`${file}/`)) || !existsSync(inRoot(target)),
  )
  expect(outside).toEqual([])
})

test('both documents are checked, and the package has keywords', () => {
  expect(documents).toEqual(['README.md', 'CHANGELOG.md'])
  for (const keyword of ['agents', 'multi-tenant', 'durable-execution', 'approvals'])
    expect(keywords).toContain(keyword)
})
