import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const BLOCK = 512

/** Returns the bytes on disk of the files at and below a path: blocks, not lengths, so that holes do not count. */
export function storedBytes(path: string): number {
  const stat = lstatSync(path)
  if (!stat.isDirectory()) return stat.blocks * BLOCK
  return readdirSync(path).reduce((sum, name) => sum + storedBytes(join(path, name)), 0)
}
