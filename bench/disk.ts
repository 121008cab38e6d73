import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const BLOCK = 512

/** What the files at and below a path take on the disk, in bytes: blocks, not lengths, so that holes count as nothing. */
export function storedBytes(path: string): number {
  const stat = lstatSync(path)
  if (!stat.isDirectory()) return stat.blocks * BLOCK
  return readdirSync(path).reduce((sum, name) => sum + storedBytes(join(path, name)), 0)
}
