import { run } from '../lib/run.mjs'

/**
 * Runs the unit, integration and documentation tests of the workspace.
 *
 * @param {Record<string, string>} env
 * @returns {Promise<{ passed: number, failed: number, failures: string[], problems: string[] }>}
 */
export async function runRustTests(env) {
  const { code, output } = await run('cargo', ['test', '--release', '--workspace', '--locked', '--no-fail-fast'], {
    env,
  })
  return countRustTests(output, code)
}

/**
 * An entry point that other tests start as a child process and kill. The harness can mark it only as an ignored test.
 */
const childProgram = /^test .+ \.\.\. ignored, the child of the other tests$/gm

/**
 * @param {string} output what `cargo test` printed
 * @param {number} code its exit code
 */
export function countRustTests(output, code) {
  let [passed, failed, ignored] = [0, 0, 0]
  const failures = [...output.matchAll(/^test (.+) \.\.\. FAILED$/gm)].map(([, name]) => String(name))
  const summary = /^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;/gm
  for (const [, ok, bad, skipped] of output.matchAll(summary)) {
    passed += Number(ok)
    failed += Number(bad)
    ignored += Number(skipped)
  }
  ignored -= [...output.matchAll(childProgram)].length
  const problems = []
  if (passed + failed === 0) problems.push('no Rust test ran')
  if (ignored > 0) problems.push(`${ignored} Rust tests are ignored; tests are run or removed`)
  if (code !== 0 && failed === 0) problems.push(`cargo test ended with exit code ${code}`)
  return { passed, failed, failures, problems }
}
