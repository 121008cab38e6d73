import { readFileSync } from 'node:fs'
import { trackedFiles } from '../lib/git.mjs'
import { inRoot } from '../lib/root.mjs'

/** The modules that touch the addon itself. The rest of `ts/native` wraps it for the others. */
const addonModules = /\/native\/(?:addon|loader)\.ts$/

/** Modules outside `ts/native` that reach for the addon, and modules of ours that import tests or tools. */
export async function moduleProblems() {
  const files = await trackedFiles(['ts/*.ts'])
  return files.flatMap((file) => problemsOf(file, readFileSync(inRoot(file), 'utf8')))
}

/** The one module that reads memory which the core writes to, and all that it may import: nothing that calls the host. */
const sharedMemory = 'ts/native/shared-memory.ts'
const importedThere = ['node:buffer', '../types/references.ts', './addon.ts', './message.ts', './resolved.ts']
/** The exports of the addon that write into memory of JavaScript. */
const writingExports = /\baddon\.(?:drain|take|resolveAtHand|prepareRun)\(/

/** @param {string} file @param {string} source */
export function problemsOf(file, source) {
  const specifiers = [...source.matchAll(/\b(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '')
  return [...specifierProblems(file, specifiers), ...sharedMemoryProblems(file, source, specifiers)]
}

/**
 * Nothing is called while shared memory is read (docs/bridge).
 *
 * @param {string} file @param {string} source @param {string[]} specifiers
 */
function sharedMemoryProblems(file, source, specifiers) {
  if (file !== sharedMemory) {
    return writingExports.test(source) ? [`${file} has the addon write into memory; only ${sharedMemory} may`] : []
  }
  const foreign = specifiers.filter((specifier) => !importedThere.includes(specifier))
  return [
    ...foreign.map((specifier) => `${file} imports ${specifier}; it must not be able to call out`),
    ...(source.includes('=>')
      ? [`${file} has a function for a parameter or value; it must not be able to call out`]
      : []),
  ]
}

/** @param {string} file @param {string[]} specifiers */
function specifierProblems(file, specifiers) {
  return specifiers.flatMap((specifier) => {
    const ofTheAddon = addonModules.test(`/${specifier}`) || specifier === 'node:module' || specifier.endsWith('.node')
    if (ofTheAddon && !file.startsWith('ts/native/')) return [`${file} imports ${specifier}; only ts/native may`]
    if (specifier === 'bailiwick') return [`${file} imports the package it belongs to`]
    return []
  })
}
