import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { filesBelow } from '../../scripts/lib/inputs.mjs'

/** Every file below a folder, through links to directories too: its mode, size and bytes. */
export function contents(folder: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const file of filesBelow(folder)) {
    const { mode, size } = statSync(file)
    found[file] = `${mode} ${size} ${createHash('sha256').update(readFileSync(file)).digest('hex')}`
  }
  return found
}
