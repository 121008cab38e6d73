import { readFileSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { publicEntries } from '../lib/entries.mjs'
import { filesBelow, unlessUnchanged } from '../lib/inputs.mjs'
import { inRoot } from '../lib/root.mjs'
import { mustRun, tool } from '../lib/run.mjs'

/** Writes the type declarations next to the bundles. */
export function buildDeclarations() {
  const inputs = ['ts', 'tsconfig.json', 'tsconfig.build.json', 'package.json', 'package-lock.json', 'scripts/build']
  const outputs = publicEntries().map(({ output }) => `dist/${output}.d.ts`)
  return unlessUnchanged('declarations', { inputs, outputs }, async () => {
    await mustRun(process.execPath, [tool('tsc'), '-p', inRoot('tsconfig.build.json')])
    for (const file of filesBelow(inRoot('dist'))) {
      if (file.endsWith('.d.ts')) writeFileSync(file, withJavaScriptSpecifiers(readFileSync(file, 'utf8')))
    }
  })
}

/**
 * The compiler rewrites `./file.ts` to `./file.js` in JavaScript, but not in declarations.
 *
 * @param {string} declarations
 */
function withJavaScriptSpecifiers(declarations) {
  return declarations.replace(/((?:from|import)\s*\(?\s*)(['"])(\.{1,2}\/[^'"]+)\.ts\2/g, '$1$2$3.js$2')
}
