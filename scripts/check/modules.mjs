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

/** @param {string} file @param {string} source */
export function problemsOf(file, source) {
  const specifiers = [...source.matchAll(/\b(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '')
  return specifiers.flatMap((specifier) => {
    const ofTheAddon = addonModules.test(`/${specifier}`) || specifier === 'node:module' || specifier.endsWith('.node')
    if (ofTheAddon && !file.startsWith('ts/native/')) return [`${file} imports ${specifier}; only ts/native may`]
    if (specifier === 'bailiwick') return [`${file} imports the package it belongs to`]
    return []
  })
}
