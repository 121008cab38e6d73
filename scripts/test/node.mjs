import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import process from 'node:process'
import { inRoot } from '../lib/root.mjs'
import { run, tool } from '../lib/run.mjs'

/**
 * @typedef {object} VitestReport what vitest's JSON reporter writes, as far as it is read here
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {number} numPendingTests
 * @property {number} numTodoTests
 * @property {{ name: string, status: string, assertionResults: { fullName: string, status: string, failureMessages: string[] }[] }[]} testResults one for each file
 */

/**
 * Runs the tests under test/.
 *
 * @param {Record<string, string>} env
 * @returns {Promise<{ passed: number, failed: number, failures: string[], problems: string[] }>}
 */
export async function runNodeTests(env) {
  const folder = mkdtempSync(join(tmpdir(), 'bailiwick-test-'))
  try {
    const file = join(folder, 'report.json')
    const { code } = await run(
      process.execPath,
      [tool('vitest'), 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`],
      { env },
    )
    const report = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
    return countNodeTests(report, code)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * @param {VitestReport | undefined} report
 * @param {number} code vitest's exit code
 */
export function countNodeTests(report, code) {
  if (report === undefined) {
    return { passed: 0, failed: 0, failures: [], problems: [`vitest ended with exit code ${code} and wrote no report`] }
  }
  const { numPassedTests: passed, numFailedTests: failed } = report
  const problems = []
  if (passed + failed === 0) problems.push('no Node test ran')
  const skipped = report.numPendingTests + report.numTodoTests
  if (skipped > 0) problems.push(`${skipped} Node tests are skipped; tests are run or removed`)
  for (const { name, status, assertionResults } of report.testResults) {
    if (status === 'failed' && assertionResults.length === 0) problems.push(`could not run ${name}`)
  }
  if (code !== 0 && failed + problems.length === 0) problems.push(`vitest ended with exit code ${code}`)
  return { passed, failed, failures: failuresOf(report), problems }
}

/**
 * File, name and first line of the reason of every test that failed, so that the end of a log is enough to find it.
 *
 * @param {VitestReport} report
 */
function failuresOf(report) {
  return report.testResults.flatMap(({ name: file, assertionResults }) =>
    assertionResults
      .filter(({ status }) => status === 'failed')
      .map(({ fullName, failureMessages: [reason = ''] }) => {
        return `${relative(inRoot(), file)}: ${fullName}: ${reason.split('\n', 1)[0]}`
      }),
  )
}
