// Packs what would be published: the root package and each platform package that is built, as .tgz files.
// Options: --to <folder> (default build/packages), --profile release|dist (default dist), --as-built (no addon is built:
// those that lie in npm/ are packed), --repository <https address of the public sources> (a release needs it).
import process from 'node:process'
import { parseArgs } from 'node:util'
import { buildAll, buildWithoutAddon } from './build.mjs'
import { inRoot } from './lib/root.mjs'
import { packAll } from './pack/packages.mjs'

const { values } = parseArgs({
  options: {
    to: { type: 'string', default: inRoot('build', 'packages') },
    profile: { type: 'string', default: 'dist' },
    'as-built': { type: 'boolean', default: false },
    repository: { type: 'string' },
  },
})
if (values.profile !== 'release' && values.profile !== 'dist') {
  console.error(`--profile is release or dist, not ${values.profile}`)
  process.exit(2)
}
if (values['as-built']) await buildWithoutAddon()
else await buildAll(values.profile)
const { root, platforms } = await packAll(values.to, values.repository)
for (const file of [root, ...Object.values(platforms)]) console.log(file)
