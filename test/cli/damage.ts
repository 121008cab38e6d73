import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { filesBelow } from '../../scripts/lib/inputs.mjs'

/** Spoils the byte in the middle of every large value. */
export function damageValues(directory: string): void {
  const files = filesBelow(join(directory, 'segments'))
  expect(files.length).toBeGreaterThan(0)
  for (const file of files) spoil(file, readFileSync(file).length >> 1)
}

/** Changes one byte of a file. */
export function spoil(file: string, at: number): void {
  const bytes = readFileSync(file)
  bytes[at] = (bytes[at] ?? 0) ^ 0xff
  writeFileSync(file, bytes)
}
