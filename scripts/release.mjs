// The gate before publishing, and publishing:
//   node scripts/release.mjs check|publish <folder> [--version <version>] [--addons <JSON: platform to SHA-256>]
// `--addons` has the hashes of the builds (scripts/release/hash.mjs); publishing needs it.
// Publishes nothing unless every package is present and valid. Skips published packages, so that an interrupted release can
// be run again. Options after `--` go to `npm publish`.
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { npm } from './lib/install.mjs'
import { inRoot } from './lib/root.mjs'
import { mustRun, run } from './lib/run.mjs'
import { readPackages, releaseProblems } from './release/packages.mjs'

const separator = process.argv.indexOf('--')
const [own, forNpm] =
  separator < 0 ? [process.argv.slice(2), []] : [process.argv.slice(2, separator), process.argv.slice(separator + 1)]
const { values, positionals } = parseArgs({
  args: own,
  allowPositionals: true,
  options: {
    version: { type: 'string', default: JSON.parse(readFileSync(inRoot('package.json'), 'utf8')).version },
    addons: { type: 'string' },
  },
})
const [verb, folder] = positionals
const isPublishing = verb === 'publish'
if ((verb !== 'check' && !isPublishing) || folder === undefined || (isPublishing && values.addons === undefined)) {
  const usage = 'check|publish <folder> [--version <version>] [--addons <hashes, to publish>] [-- <options of npm>]'
  console.error(`usage: node scripts/release.mjs ${usage}`)
  process.exit(2)
}

const packages = readPackages(folder)
const built = values.addons === undefined ? undefined : JSON.parse(values.addons)
const problems = releaseProblems(packages, values.version, built)
for (const problem of problems) console.error(problem)
console.log(`release ${values.version}: ${packages.length} packages, ${problems.length} problems`)
if (problems.length > 0) process.exit(1)
if (isPublishing) {
  // The root comes last: when it can be installed, its platform packages exist.
  for (const { file, manifest } of packages) await publish(file, `${manifest.name}@${manifest.version}`)
}

/** @param {string} file @param {string} what */
async function publish(file, what) {
  const registry = forNpm.filter((option) => option.startsWith('--registry='))
  const { code, output } = await run(npm, ['view', what, 'version', ...registry], { quiet: true })
  if (code === 0 && output.trim() !== '') return console.log(`${what} is published already`)
  await mustRun(npm, ['publish', file, '--access=public', ...forNpm])
}
