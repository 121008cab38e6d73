// Writes the SHA-256 of the addon of a target as an output of the job, `<platform>=<hash>`, or prints it elsewhere.
// `release.mjs` compares the packages with it. node scripts/release/hash.mjs <triple>
import { appendFileSync, readFileSync } from 'node:fs'
import process from 'node:process'
import { inRoot } from '../lib/root.mjs'
import { targets } from '../lib/targets.mjs'
import { hashOf } from './packages.mjs'

const [triple] = process.argv.slice(2)
const target = targets().find((each) => each.triple === triple)
if (target === undefined) {
  console.error('usage: node scripts/release/hash.mjs <triple>')
  process.exit(2)
}
const { name } = target
const line = `${name}=${hashOf(readFileSync(inRoot('npm', name, `bailiwick.${name}.node`)))}\n`
const output = process.env['GITHUB_OUTPUT']
if (output === undefined) process.stdout.write(line)
else appendFileSync(output, line)
