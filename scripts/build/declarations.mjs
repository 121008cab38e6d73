import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { publicEntries } from '../lib/entries.mjs'
import { filesBelow, unlessUnchanged } from '../lib/inputs.mjs'
import { inRoot } from '../lib/root.mjs'
import { mustRun, tool } from '../lib/run.mjs'

/** Writes the type declarations that the public ones need next to the bundles. */
export function buildDeclarations() {
  const inputs = ['ts', 'tsconfig.json', 'tsconfig.build.json', 'package.json', 'package-lock.json', 'scripts/build']
  const outputs = publicEntries().map(({ output }) => `dist/${output}.d.ts`)
  return unlessUnchanged('declarations', { inputs, outputs }, async () => {
    await mustRun(process.execPath, [tool('tsc'), '-p', inRoot('tsconfig.build.json')])
    for (const file of declarationsBelow(inRoot('dist'))) {
      writeFileSync(file, withJavaScriptSpecifiers(readFileSync(file, 'utf8')))
    }
    const needed = reachedFrom(outputs.map((output) => inRoot(output)))
    for (const file of declarationsBelow(inRoot('dist'))) if (!needed.has(file)) rmSync(file)
  })
}

/** @param {string} folder */
function declarationsBelow(folder) {
  return filesBelow(folder).filter((file) => file.endsWith('.d.ts'))
}

/**
 * Returns these declarations and all that they import.
 *
 * @param {readonly string[]} declarations
 * @returns {Set<string>}
 */
export function reachedFrom(declarations) {
  const reached = new Set(declarations)
  for (const file of reached) {
    const imports = readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*['"](\.{1,2}\/[^'"]+)\.js['"]/g)
    for (const [, specifier = ''] of imports) reached.add(join(dirname(file), `${specifier}.d.ts`))
  }
  return reached
}

/**
 * The compiler rewrites `./file.ts` to `./file.js` in JavaScript, but not in declarations.
 *
 * @param {string} declarations
 */
function withJavaScriptSpecifiers(declarations) {
  return declarations.replace(/((?:from|import)\s*\(?\s*)(['"])(\.{1,2}\/[^'"]+)\.ts\2/g, '$1$2$3.js$2')
}
