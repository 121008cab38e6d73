import process from 'node:process'

/** Returns the resident bytes of the process after garbage collection. */
export function resident(): number {
  for (let round = 0; round < 4; round += 1) globalThis.gc?.()
  return process.memoryUsage().rss
}
