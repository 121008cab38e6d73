import { describe, expect, test } from 'vitest'
import { licenceFiles } from '../../scripts/pack/licences.mjs'
import { originOf, publishedDocument } from '../../scripts/pack/origin.mjs'

const address = 'https://git.example/owner/name'

describe('the address of the sources', () => {
  test('makes every field that says where a package comes from', () => {
    expect(originOf(address)).toEqual({
      repository: { type: 'git', url: 'git+https://git.example/owner/name.git' },
      homepage: 'https://git.example/owner/name#readme',
      bugs: 'https://git.example/owner/name/issues',
    })
  })

  test.each([
    '',
    'git.example/owner/name',
    'http://git.example/owner/name',
    `${address}.git`,
    `${address}/`,
    'https:///',
  ])('is refused if it is %j', (wrong) =>
    expect(() => originOf(wrong)).toThrow('must be https://<host>/<owner>/<name>'),
  )
})

describe('a document away from the sources', () => {
  const text = [
    'See [the guide](docs/guide.md#a), [the changes](CHANGELOG.md), [npm](https://npm.example) and [below](#below).',
    '![Tenants](docs/images/tenants.svg)',
    '<picture>\n  <source srcset="docs/dark.png">\n  <img alt="The page" src="docs/light.png">\n</picture>',
    '```ts\nconst link = "[a](b.md)"\n```',
  ].join('\n')
  const isPackaged = (path: string) => path === 'CHANGELOG.md'

  test('links to the sources of its version', () => {
    expect(publishedDocument(text, { address, version: '1.2.3', isPackaged })).toBe(
      [
        `See [the guide](${address}/blob/v1.2.3/docs/guide.md#a), [the changes](CHANGELOG.md), [npm](https://npm.example) and [below](#below).`,
        `![Tenants](${address}/raw/v1.2.3/docs/images/tenants.svg)`,
        `<picture>\n  <source srcset="${address}/raw/v1.2.3/docs/dark.png">\n  <img alt="The page" src="${address}/raw/v1.2.3/docs/light.png">\n</picture>`,
        '```ts\nconst link = "[a](b.md)"\n```',
      ].join('\n'),
    )
  })

  test('without an address has no link that leads nowhere, and says in words what images show', () => {
    expect(publishedDocument(text, { address: undefined, version: '1.2.3', isPackaged })).toBe(
      [
        'See the guide, [the changes](CHANGELOG.md), [npm](https://npm.example) and [below](#below).',
        '*Tenants*',
        '*The page*',
        '```ts\nconst link = "[a](b.md)"\n```',
      ].join('\n'),
    )
  })
})

describe('licences of components', () => {
  const files = ['COPYRIGHT', 'LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'src']

  test('of a choice with MIT, MIT and the notices are listed', () => {
    expect(licenceFiles(files, 'MIT OR Apache-2.0')).toEqual(['COPYRIGHT', 'LICENSE-MIT'])
    expect(licenceFiles(files, 'MIT/Apache-2.0')).toEqual(['COPYRIGHT', 'LICENSE-MIT'])
  })

  test.each(['Apache-2.0', 'MIT AND Apache-2.0', '(MIT OR Apache-2.0) AND Unicode-3.0'])(
    'of %s all are listed',
    (licence) => {
      expect(licenceFiles(files, licence)).toEqual(['COPYRIGHT', 'LICENSE-APACHE', 'LICENSE-MIT'])
    },
  )

  test('a file without the name of its licence is listed', () => {
    expect(licenceFiles(['LICENSE'], 'MIT OR Apache-2.0')).toEqual(['LICENSE'])
  })
})
