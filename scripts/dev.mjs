// Watches the TypeScript sources: builds the bundles and checks types after a change, and runs the tests of what changed, on
// the addon that was built last. `npm run dev -- test/unit/tenant.test.ts` watches these tests; a change of Rust needs
// `npm run build`. With --once it does each step once and ends.
import { existsSync } from 'node:fs'
import process from 'node:process'
import { buildLibrary } from './build/javascript.mjs'
import { addonPath } from './lib/platform.mjs'
import { inRoot } from './lib/root.mjs'
import { run, tool } from './lib/run.mjs'

const words = process.argv.slice(2)
const isOnce = words.includes('--once')
const files = words.filter((word) => word !== '--once')

if (!existsSync(inRoot(addonPath))) {
  console.error(
    `No addon is built yet: ${addonPath} is missing. Run \`npm run build\` once (minutes), then \`npm run dev\`.`,
  )
  process.exit(2)
}

const vitest = isOnce ? (files.length > 0 ? ['run'] : ['run', '--changed']) : ['--watch', '--changed']
/** @param {readonly string[]} parameters */
const node = (parameters) => run(process.execPath, parameters)

// Some tests run the built command.
await buildLibrary()
const types = node([
  tool('tsc'),
  '-p',
  inRoot('tsconfig.json'),
  ...(isOnce ? [] : ['--watch', '--preserveWatchOutput']),
])
const tests = node([tool('vitest'), ...(files.length > 0 && !isOnce ? ['--watch'] : vitest), ...files])
if (!isOnce) watchSources()
const ended = await Promise.all([types, tests])
process.exitCode = ended.every(({ code }) => code === 0) ? 0 : 1

/** Rebuilds the bundles after each change, one build at a time. */
async function watchSources() {
  const { watch } = await import('node:fs/promises')
  for await (const _ of watch(inRoot('ts'), { recursive: true })) {
    await buildLibrary().catch((error) => console.error(String(error)))
  }
}
