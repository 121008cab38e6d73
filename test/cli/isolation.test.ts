import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { outcomeOf, teller } from '../../ts/cli/commands/isolation.ts'
import { createRuntime } from '../../ts/index.ts'
import { isolationSuite, runIsolation } from '../../ts/isolation/index.ts'
import { broken } from '../isolation/broken.ts'
import { freshFolder, freshUrl } from '../support/stores.ts'
import { bailiwick, oneLine } from './command.ts'

/** A slow machine must not fail, and these try all cells. */
const ALL_CELLS_MS = 600_000

const names = isolationSuite({ url: 'memory:' }).cells.map(({ name }) => name)

test.each([
  ['a directory', async () => `sled:${join(freshFolder(), 'store')}`],
  ['a database', () => freshUrl('postgres')],
])(
  'isolation --verbose prints each cell of a store in %s, and that it is isolated',
  async (_, place) => {
    const store = await place()
    const { code, out, err } = await bailiwick(['isolation', 'env:THE_STORE', '--verbose'], { THE_STORE: store })
    expect([code, err]).toEqual([0, ''])
    const lines = out.trimEnd().split('\n')
    expect(lines.pop()).toBe(`isolated: all ${names.length} cells hold`)
    expect(lines.sort()).toEqual(names.map((name) => `ok    ${name}`).sort())
    const afterwards = await bailiwick(['doctor', store, '--json'])
    expect(JSON.parse(afterwards.out)).toMatchObject({ ok: true, tenants: 0 })
  },
  ALL_CELLS_MS,
)

test(
  'isolation --json is one report',
  async () => {
    const { code, out, err } = await bailiwick(['isolation', 'memory:', '--empty-store', '--json'])
    expect([code, err]).toEqual([0, ''])
    const report = JSON.parse(out)
    expect(report).toMatchObject({ ok: true, passed: names.length, failed: 0 })
    expect(report.cells[0]).toEqual({ row: 'M7', kind: 'runtime', verb: 'query', name: names[0], ok: true })
  },
  ALL_CELLS_MS,
)

test(
  'a cell that does not hold is shown with its reason, and the exit code is 1',
  async () => {
    const open = broken['trusts what a request says of its tenant']?.open()
    const written: string[] = []
    const terminal = { print: (text: string) => void written.push(text), complain: () => {}, isInteractive: false }
    const report = await runIsolation(
      { url: 'memory:', ...(open && { createRuntime: open(createRuntime) }) },
      teller(terminal, false),
    )
    const failed = written.filter((text) => text.startsWith('FAIL'))
    expect(failed).toEqual([
      `FAIL  ${names[0]}\n      IsolationError: A request that names another tenant was not refused as one.\n`,
    ])
    expect(outcomeOf(report, true)).toMatchObject({
      exit: 1,
      lines: [`not isolated: 1 of ${names.length} cells do not hold`],
    })
    expect(outcomeOf(report, false).lines).toContain('FAIL  query: 1 of 1 cell')
  },
  ALL_CELLS_MS,
)

test(
  'isolation prints a line for every verb, and each cell with --verbose alone',
  async () => {
    const { code, out, err } = await bailiwick(['isolation', 'memory:'])
    expect([code, err]).toEqual([0, ''])
    const lines = out.trimEnd().split('\n')
    expect(lines.pop()).toBe(`isolated: all ${names.length} cells hold`)
    const counts = lines.map((line) => /^ok {4}([\w. ]+): (\d+) cells?$/.exec(line))
    expect(counts.map((found, at) => (found === null ? lines[at] : ''))).toEqual(lines.map(() => ''))
    expect(new Set(counts.map((found) => found?.[1])).size).toBe(lines.length)
    expect(counts.reduce((sum, found) => sum + Number(found?.[2]), 0)).toBe(names.length)
    expect(lines.length).toBeLessThan(80)
  },
  ALL_CELLS_MS,
)

test('isolation creates no store for a mistyped path, and says what to write', async () => {
  const folder = freshFolder()
  mkdirSync(join(folder, 'something'))
  writeFileSync(join(folder, 'something', 'else'), '')
  for (const word of [
    'nope',
    './nope',
    join(folder, 'nope'),
    '../nope/nope',
    'something',
    './something',
    'memry',
    '.',
  ]) {
    const answer = await bailiwick(['isolation', word], {}, folder)
    expect([word, answer]).toEqual([word, oneLine])
    expect(answer.err).toMatch(/There is no store in ".*memory:.*sled:/)
    expect(readdirSync(folder, { recursive: true }).sort()).toEqual(['something', join('something', 'else')])
  }
  expect((await bailiwick(['isolation', 'memry'], {}, folder)).err).toContain('Did you mean memory:?')
})

test.each([
  [['isolation'], '<url> is missing'],
  [['isolation', ''], 'An empty word is no store'],
  [['isolation', 'nothing:here'], 'This names no store'],
  [['isolation', 'memory:', '--root-key-env', 'NO_SUCH_VARIABLE'], 'NO_SUCH_VARIABLE is not set'],
])('refuses %j in one line', async (words, message) => {
  const answer = await bailiwick(words)
  expect(answer).toEqual(oneLine)
  expect(answer.err).toContain(message)
})
