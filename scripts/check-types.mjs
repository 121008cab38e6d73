// Checks the types of everything that is written in TypeScript, and of the scripts.
import process from 'node:process'
import { ensureInstalled } from './lib/install.mjs'
import { inRoot } from './lib/root.mjs'
import { run, tool } from './lib/run.mjs'

// Its page has the types of a browser, and its packages are its own.
await ensureInstalled(inRoot('examples', 'chat'))
let isRight = true
for (const folder of [inRoot(), inRoot('examples', 'chat')]) {
  const { code } = await run(process.execPath, [tool('tsc'), '-p', folder])
  isRight &&= code === 0
}
process.exitCode = isRight ? 0 : 1
