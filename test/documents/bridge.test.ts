import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { inRoot } from '../../scripts/lib/root.mjs'
import { Callback, Reply } from '../../ts/native/bridge.ts'
import { State } from '../../ts/native/shared-memory.ts'

const source = (...path: string[]) => readFileSync(inRoot('crates', 'node', 'src', ...path), 'utf8')
const document = readFileSync(inRoot('docs', 'bridge', 'README.md'), 'utf8')

/** The rows of the `operations!` table. */
const operations = [...source('operations', 'mod.rs').matchAll(/^ {4}(\d+) (\w+) \((\w+)\) => [\w:]+;$/gm)].map(
  ([, number, name, kind]) => ({ number, name, kind }),
)

/** The members of an object as the document lists them: `0 model, 1 tool`. */
const listed = (kinds: Readonly<Record<string, number>>) =>
  Object.entries(kinds)
    .map(([name, number]) => `${number} ${name}`)
    .join(', ')

describe('the boundary to Node', () => {
  it('has one table of operations, from which ts/native/operations.ts is made (run vitest with -u)', async () => {
    expect(operations.length).toBeGreaterThan(50)
    const rows = operations.map(({ number, name }) => `  ${name}: ${number},\n`).join('')
    const text = `/** The operations that can be submitted. Made from the table in \`crates/node/src/operations/mod.rs\`. */
export const Operation = {
${rows}} as const

/** The number of an operation. */
export type Operation = (typeof Operation)[keyof typeof Operation]
`
    await expect(text).toMatchFileSnapshot(inRoot('ts', 'native', 'operations.ts'))
  })

  it('has a document that lists every operation under its kind', () => {
    for (const kind of new Set(operations.map((operation) => operation.kind))) {
      const names = operations.filter((operation) => operation.kind === kind).map(({ name }) => `\`${name}\``)
      const row = document.split('\n').find((line) => line.startsWith(`| \`${kind}\` |`)) ?? ''
      expect([kind, row.match(/`\w+`/g)?.slice(1)]).toEqual([kind, names])
    }
  })

  it('has a document that gives the numbers of callbacks, replies and states, alike on both sides', () => {
    const kinds = [...source('operations', 'host.rs').matchAll(/CallbackKind::(\w)(\w+) => (\d+),/g)]
    expect(Object.entries(Callback)).toEqual(
      kinds.map(([, first, rest, number]) => [`${first?.toLowerCase()}${rest}`, Number(number)]),
    )
    const states = [...source('completions.rs').matchAll(/const (\w+): u32 = (\d+);/g)]
    const numbers = states.map(([, name, number]) => [name, Number(number)])
    expect(numbers).toEqual([
      ['DONE', 0],
      ['FAILED', State.failed],
      ['LARGE', 2],
      ['REQUESTED', State.asked],
      ['CANCELLED', State.over],
    ])
    expect(document).toContain(`u8 kind (${listed(Callback)}) ‖ f64 host ‖ JSON`)
    expect(document).toContain(`kind of a reply:           ${listed(Reply)} `)
    const { failed, asked, over } = State
    expect(document).toContain(`0 done, ${failed} failed, ${asked} callback requested, ${over} callback cancelled; +2`)
  })
})
