import { join } from 'node:path'
import process from 'node:process'
import { describe, expect, it } from 'vitest'
import { inRoot } from '../../../scripts/lib/root.mjs'
import { nodesUnderTest } from '../../package/install.ts'
import { runNode } from '../../support/run-node.ts'
import { freshUrl } from '../../support/stores.ts'

const WORKERS = process.env['BAILIWICK_LONG'] === '1' ? 200 : 6
const program = inRoot('build', 'programs', 'test', 'attack', 'process', 'only-workers.program.js')

describe.each(nodesUnderTest())('a main thread that never loads the addon, on Node %s', (_, node) => {
  it.each(['end', 'terminate', 'both'])(`${WORKERS} workers one after the other that %s`, async (way) => {
    const url = await freshUrl('sled')
    const printed = await runNode([program, url, `${WORKERS}`, way], inRoot(), node)
    expect(printed.trim().split('\n')).toHaveLength(WORKERS)
  })
})

it('test files that run in threads, one after the other', async () => {
  const vitest = inRoot('node_modules', 'vitest', 'vitest.mjs')
  const folder = inRoot('test', 'attack', 'process', 'threads')
  const config = join(folder, 'vitest.config.ts')
  const report = JSON.parse(await runNode([vitest, 'run', '--config', config, '--reporter=json'], folder))
  expect(report).toMatchObject({ success: true, numPassedTests: 4, numFailedTests: 0 })
})
