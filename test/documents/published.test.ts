import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { linksOf } from '../../scripts/check/links.mjs'
import { inRoot } from '../../scripts/lib/root.mjs'
import { publishedDocument } from '../../scripts/pack/origin.mjs'

const { files, keywords } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8')) as {
  files: string[]
  keywords: string[]
}

/** Documents that are read where the package is published, away from the sources. */
const documents = files.filter((file) => file.endsWith('.md'))

const isPackaged = (path: string) => files.some((file) => path === file || path.startsWith(`${file}/`))

test.each(documents)(
  'as published, every link of %s that leads nowhere else leads to a file of the package',
  (document) => {
    const text = readFileSync(inRoot(document), 'utf8')
    for (const address of [undefined, 'https://git.example/owner/name']) {
      const published = publishedDocument(text, { address, version: '1.2.3', isPackaged })
      const links = linksOf(published).filter((link) => !/^[a-z][a-z0-9+.-]*:/i.test(link))
      const targets = links.map((link) => link.split('#')[0] ?? '').filter((target) => target !== '')
      expect(targets.filter((target) => !isPackaged(target) || !existsSync(inRoot(target)))).toEqual([])
      expect(published).not.toMatch(/(?:src|srcset)="(?!https:)/)
    }
  },
)

test('both documents are checked, and the package has keywords', () => {
  expect(documents).toEqual(['README.md', 'CHANGELOG.md'])
  for (const keyword of ['agents', 'multi-tenant', 'durable-execution', 'approvals'])
    expect(keywords).toContain(keyword)
})
