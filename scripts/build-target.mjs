// Builds the addon that is published for one target: node scripts/build-target.mjs aarch64-unknown-linux-musl
import process from 'node:process'
import { buildTarget } from './build/target.mjs'
import { targets } from './lib/targets.mjs'

const [triple = ''] = process.argv.slice(2)
if (!targets().some((target) => target.triple === triple)) {
  console.error(
    `name one target: ${targets()
      .map((target) => target.triple)
      .join(', ')}`,
  )
  process.exit(2)
}
console.log(await buildTarget(triple))
