import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { exportsOf } from '../../scripts/reference/exports.mjs'
import { pageOf } from '../../scripts/reference/page.mjs'
import { freshFolder } from '../support/stores.ts'

/** The path of `index.d.ts` in a folder with these files. */
function declarations(files: Record<string, string>): string {
  const folder = freshFolder()
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, `${name}.d.ts`), text)
  return join(folder, 'index.d.ts')
}

it('the reference has every export, wherever it is declared', () => {
  const { exported, problems } = exportsOf(
    declarations({
      index: "export * from './all.js'\nexport { theirs as ours, type Kind } from './some.js'\n",
      all: '/** One.\n *\n * @throws SpecError always\n */\nexport declare function one(): void;\nexport declare function one(a: string): void;\n',
      some: '/** Theirs. */\nexport declare const theirs: 1;\n/** A kind. */\nexport type Kind = 1;\n/** No. */\nexport type Other = 2;\n',
    }),
  )
  expect(problems).toEqual([])
  expect([...exported.keys()].sort()).toEqual(['Kind', 'one', 'ours'])
  expect(exported.get('one')?.declaration.match(/function one/g)).toHaveLength(2)
  const { page, problems: none } = pageOf('bailiwick', [...exported.values()])
  expect(none).toEqual([])
  expect(page).toContain('## ours\n\nTheirs.\n\n```ts\nconst theirs: 1;\n```\n')
  expect(page).toContain('One.\n\nThrows SpecError always\n')
})

it('names without a comment, unknown tags and exports that lead nowhere are problems', () => {
  const { exported, problems } = exportsOf(
    declarations({
      index:
        "export { gone } from './some.js'\nexport declare const bare: 1;\n/** @todo it */\nexport declare const tagged: 1;\n",
      some: '/** It. */\nexport declare const it: 1;\n',
    }),
  )
  expect(problems).toEqual([expect.stringContaining('gone is exported')])
  expect(pageOf('bailiwick', [...exported.values()]).problems).toEqual([
    'bailiwick: bare has no doc comment',
    'bailiwick: tagged has @todo, which the reference does not know',
  ])
})

it('names that differ in case alone have links of their own', () => {
  const names = ['Suite', 'suite'].map((name) => ({ name, comment: 'x', declaration: 'x' }))
  expect(pageOf('bailiwick', names).page).toContain('[Suite](#suite) · [suite](#suite-1)')
})
