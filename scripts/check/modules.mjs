import { readFileSync } from 'node:fs'
import { trackedFiles } from '../lib/git.mjs'
import { inRoot } from '../lib/root.mjs'

// Which module may import which is for biome.json (`noRestrictedImports`, `noImportCycles`); here is what it cannot say.

/** The one module that reads memory which the core writes to. */
const sharedMemory = 'ts/native/shared-memory.ts'
/** All that it may import: nothing that calls the host. */
const importedThere = ['node:buffer', '../types/references.ts', './addon.ts', './message.ts', './resolved.ts']
/** The exports of the addon that write into memory of JavaScript. */
const writingExports = /\baddon\.(?:drain|take|resolveAtHand|prepareRun)\(/

/** Modules that could call the host while shared memory is read. */
export async function moduleProblems() {
  const files = await trackedFiles(['ts/*.ts'])
  return files.flatMap((file) => problemsOf(file, readFileSync(inRoot(file), 'utf8')))
}

/**
 * Nothing is called while shared memory is read (docs/bridge).
 *
 * @param {string} file @param {string} source
 */
export function problemsOf(file, source) {
  if (file !== sharedMemory) {
    return writingExports.test(source) ? [`${file} has the addon write into memory; only ${sharedMemory} may`] : []
  }
  const imported = [...source.matchAll(/\b(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '')
  const foreign = imported.filter((specifier) => !importedThere.includes(specifier))
  return [
    ...foreign.map((specifier) => `${file} imports ${specifier}; it must not be able to call out`),
    ...(source.includes('=>')
      ? [`${file} has a function for a parameter or value; it must not be able to call out`]
      : []),
  ]
}
