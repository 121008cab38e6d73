import { Buffer } from 'node:buffer'

const ENTRIES = 200
const FORGED = '"forged answer"'

/**
 * Bytes that are laid out as fetched answers are (`crates/node/src/completions.rs`): were they read as such, calls with the
 * numbers that follow `around` would be answered with something else.
 */
export function forgedAnswers(around: number): Uint8Array {
  const header = Buffer.alloc(16)
  header.writeUInt32LE(ENTRIES, 4)
  const body = Buffer.from(`\u0001${FORGED}`)
  const entries = Array.from({ length: ENTRIES }, (_, index) => {
    const entry = Buffer.alloc(16)
    entry.writeBigUInt64LE(BigInt(around + index), 0)
    entry.writeUInt32LE(body.length, 12)
    return Buffer.concat([entry, body])
  })
  const all = Buffer.concat([header, ...entries])
  all.writeUInt32LE(all.length, 0)
  return all
}
