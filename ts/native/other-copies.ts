import { basename, dirname, join } from 'node:path'
import { addonFile } from './loader.ts'
import { processReport } from './process-report.ts'

/**
 * Returns the message for a locked store. Two copies of bailiwick in one process have an engine each and keep
 * each other out like two processes, so where there is another, it is named: closing other processes would not help.
 */
export function lockedMessage(message: string): string {
  const copies = otherCopies()
  if (copies.length === 0) return message
  return (
    `This process has loaded another copy of bailiwick too (${copies.join('; ')}), and that copy has this store open, or ` +
    'another process has. Copies cannot share a store: install bailiwick once (npm ls bailiwick shows who brings which), ' +
    'open the store through one of them, or use PostgreSQL.'
  )
}

/** The version and place of every other copy whose addon any thread of this process has loaded. */
function otherCopies(): string[] {
  const own = real(addonFile() ?? '')
  return loadedFiles()
    .filter((file) => /^bailiwick\..+\.node$/.test(basename(file)) && real(file) !== own)
    .map((file) => `version ${versionAt(file) ?? 'unknown'}, ${file}`)
}

function loadedFiles(): readonly string[] {
  try {
    return processReport().sharedObjects
  } catch {
    return []
  }
}

/** The version of the package that an addon lies in. */
function versionAt(file: string): string | undefined {
  try {
    const { name, version } = JSON.parse(files().readFileSync(join(dirname(file), 'package.json'), 'utf8'))
    return String(name).startsWith('@bailiwick/') ? String(version) : undefined
  } catch {
    return undefined
  }
}

function real(file: string): string {
  try {
    return files().realpathSync(file)
  } catch {
    return file
  }
}

/** Loaded on use: importing it by name loads streams with the package. */
function files(): typeof import('node:fs') {
  return process.getBuiltinModule('node:fs')
}
