import { join } from 'node:path'
import { expect, test } from 'vitest'
import { outcomeOf, teller } from '../../ts/cli/isolation.ts'
import { createRuntime, openStore } from '../../ts/index.ts'
import { isolationSuite, runIsolation } from '../../ts/isolation/index.ts'
import { broken } from '../isolation/broken.ts'
import { freshFolder } from '../support/stores.ts'
import { bailiwick, oneLine } from './command.ts'

/** A slow machine must not fail, and these try all cells. */
const ALL_CELLS_MS = 600_000

const names = isolationSuite({ url: 'memory:' }).cells.map(({ name }) => name)

test(
  'B12: isolation prints each cell of a store, and that it is isolated',
  async () => {
    const directory = join(freshFolder(), 'store')
    const { code, out, err } = await bailiwick(['isolation', directory])
    expect([code, err]).toEqual([0, ''])
    const lines = out.trimEnd().split('\n')
    expect(lines.pop()).toBe(`isolated: all ${names.length} cells hold`)
    expect(lines.sort()).toEqual(names.map((name) => `ok    ${name}`).sort())
    await using store = await openStore(`sled:${directory}`)
    expect((await store.health()).ok).toBe(true)
  },
  ALL_CELLS_MS,
)

test(
  'B12: isolation --json is one report',
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
  'B12: a cell that does not hold is shown with its reason, and the exit code is 1',
  async () => {
    const open = broken['trusts what a request says of its tenant']?.open()
    const written: string[] = []
    const terminal = { print: (text: string) => void written.push(text), complain: () => {}, isInteractive: false }
    const report = await runIsolation(
      { url: 'memory:', ...(open && { createRuntime: open(createRuntime) }) },
      teller(terminal, { json: false }),
    )
    const failed = written.filter((text) => text.startsWith('FAIL'))
    expect(failed).toEqual([
      `FAIL  ${names[0]}\n      IsolationError: A request that names another tenant was not refused as one.\n`,
    ])
    expect(outcomeOf(report)).toMatchObject({
      exit: 1,
      lines: [`not isolated: 1 of ${names.length} cells do not hold`],
    })
  },
  ALL_CELLS_MS,
)

test.each([
  [['isolation'], '<url> is missing'],
  [['isolation', ''], 'The URL of a store is missing'],
  [['isolation', 'nothing:here'], 'sled:'],
  [['isolation', 'memory:', '--root-key-env', 'NO_SUCH_VARIABLE'], 'NO_SUCH_VARIABLE is not set'],
])('CLI: %j', async (words, message) => {
  const answer = await bailiwick(words)
  expect(answer).toEqual(oneLine)
  expect(answer.err).toContain(message)
})
