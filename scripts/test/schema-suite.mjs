import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { inRoot } from '../lib/root.mjs'
import { mustRun } from '../lib/run.mjs'

/** Where the core's tests look for the JSON Schema test suite. */
export const suiteVariable = 'BAILIWICK_JSON_SCHEMA_SUITE'

/**
 * Returns the folder of the JSON Schema test suite, draft 2020-12, and fetches it if it is missing (needs Python 3 with pip).
 * It is pinned with its hash, because another version would have other counts.
 *
 * @returns {Promise<string>}
 */
export async function schemaSuite() {
  const folder = inRoot('build', 'json-schema-suite')
  const name = 'jsonschema-4.26.0'
  const suite = join(folder, name, 'json', 'tests', 'draft2020-12')
  if (existsSync(suite)) return suite
  const requirements = inRoot('scripts', 'test', 'schema-suite.txt')
  const options = ['--quiet', '--no-deps', '--no-binary', 'jsonschema', '--require-hashes', '--dest', folder]
  await mustRun('python3', ['-m', 'pip', 'download', ...options, '--requirement', requirements])
  await mustRun('tar', ['-xzf', join(folder, `${name}.tar.gz`), '-C', folder])
  return suite
}
