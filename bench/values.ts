import { Buffer } from 'node:buffer'
import { randomFillSync } from 'node:crypto'
import type { JsonValue } from 'bailiwick'

let written = 0

/** Returns new random bytes, which do not compress. */
export function freshBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  randomFillSync(bytes)
  new DataView(bytes.buffer).setUint32(0, written)
  written += 1
  return bytes
}

/** Returns texts of a given length, each with another beginning; they share no memory. */
export function changingText(length: number): () => string {
  const bytes = Buffer.from(freshBytes(length).map((byte) => 97 + (byte % 26)))
  return () => {
    written += 1
    bytes.write(`${written}`.padStart(12, '0'), 'latin1')
    return bytes.toString('latin1')
  }
}

/** Returns rows of a table, which share memory. */
export function changingRows(length: number): () => JsonValue {
  const rows = freshRows(length)
  return () => {
    written += 1
    return { change: written, rows }
  }
}

/** Many different bytes. */
export function manyBytes(count: number, length: number): Uint8Array[] {
  return Array.from({ length: count }, () => freshBytes(length))
}

/**
 * Rows of a synthetic table whose JSON text has about `length` bytes: a number, a short text and a flag each, as query
 * results have.
 */
export function freshRows(length: number): JsonValue {
  const rows: JsonValue[] = []
  for (let size = 2; size + 60 <= length; ) {
    written += 1
    const row = { id: written, name: `product ${written % 977}`, price: (written % 9973) / 4, sold: written % 3 === 0 }
    rows.push(row)
    size += Buffer.byteLength(JSON.stringify(row)) + 1
  }
  return rows
}

/** 0 … count - 1 in an order that defeats caches and repeats from run to run. */
export function shuffled(count: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index)
  let state = 0x9e3779b9
  for (let index = count - 1; index > 0; index -= 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const other = state % (index + 1)
    const kept = order[index] as number
    order[index] = order[other] as number
    order[other] = kept
  }
  return order
}
