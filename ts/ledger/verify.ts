import type { ConsistencyProof, EraseReceipt, InclusionProof } from '../types/approvals.ts'
import { fromBase64 } from './base64.ts'
import { canonical, isObject, snapshot } from './canonical.ts'
import { verifyCheckpoint } from './checkpoint.ts'
import { pathConnects, pathIncludes, recordLeaf } from './merkle-tree.ts'
import { isApprovalRecord } from './record.ts'
import { openNote, readNoteKey } from './signed-note.ts'

/**
 * Whether a decision is in the approval ledger that the store signed.
 *
 * Needs no store and no addon, and never throws: whatever is not a proof that holds is `false`. `true` says that the
 * holder of the store's key signed a ledger with exactly this record at its sequence. It does not say who the actor
 * really was, nor that the store shows the same ledger to everybody; for that, compare checkpoints. A file from a stranger
 * is better checked by `bailiwick verify`, which refuses duplicate keys: `JSON.parse` keeps the last of them, and another
 * reader may keep the first.
 *
 * @param proof what `approvals.prove(sequence)` gave, or the same through JSON
 * @param publicKey the store's key, from a source you trust: `<name>+<8 hex digits>+<base64>`
 * @param origin whose ledger it must be; any of the store's when left out
 * @example
 * ```ts
 * const proof = JSON.parse(readFileSync('proof.json', 'utf8'))
 * if (verifyInclusion(proof, publicKey)) console.log(proof.record.actor, proof.record.decision)
 * ```
 */
export function verifyInclusion(proof: InclusionProof, publicKey: string, origin?: string): boolean {
  return holds(() => includes(snapshot(proof), publicKey, origin))
}

/**
 * Whether the ledger of the later checkpoint begins with every record of the earlier one, so that nothing was changed,
 * removed or put in between. Needs no store and never throws; both checkpoints must be of one origin.
 *
 * @param proof what `approvals.proveConsistency(from)` gave, or the same through JSON
 * @param publicKey the store's key, from a source you trust
 * @param origin whose ledger it must be; any of the store's when left out
 */
export function verifyConsistency(proof: ConsistencyProof, publicKey: string, origin?: string): boolean {
  return holds(() => connects(snapshot(proof), publicKey, origin))
}

/**
 * Whether the store signed exactly this receipt of an erase. Needs no store and never throws.
 *
 * @param receipt what `runtime.erase(…)` gave, or the same through JSON
 * @param publicKey the store's key, from a source you trust
 */
export function verifyReceipt(receipt: EraseReceipt, publicKey: string): boolean {
  return holds(() => isSigned(snapshot(receipt), publicKey))
}

/** Hostile input may throw from a getter or by its depth; it is no proof then. */
function holds(check: () => boolean): boolean {
  try {
    return check()
  } catch {
    return false
  }
}

function includes(proof: unknown, publicKey: unknown, origin: unknown): boolean {
  const key = readNoteKey(publicKey)
  if (key === undefined || !isObject(proof) || !isApprovalRecord(proof['record'])) return false
  const [opening, path] = [fromBase64(proof['opening'], 32), readPath(proof['path'])]
  const checkpoint = verifyCheckpoint(proof['checkpoint'], key)
  if (opening === undefined || path === undefined || checkpoint === undefined) return false
  if (origin !== undefined && origin !== checkpoint.origin) return false
  const leaf = recordLeaf(opening, canonical(proof['record']))
  return pathIncludes(leaf, proof['record'].sequence, checkpoint.size, path, checkpoint.root)
}

function connects(proof: unknown, publicKey: unknown, origin: unknown): boolean {
  const key = readNoteKey(publicKey)
  if (key === undefined || !isObject(proof)) return false
  const [from, to] = [verifyCheckpoint(proof['from'], key), verifyCheckpoint(proof['to'], key)]
  const path = readPath(proof['path'])
  if (from === undefined || to === undefined || path === undefined || from.origin !== to.origin) return false
  return (origin === undefined || origin === from.origin) && pathConnects(from, to, path)
}

function isSigned(receipt: unknown, publicKey: unknown): boolean {
  const key = readNoteKey(publicKey)
  if (key === undefined || !isObject(receipt)) return false
  const { note, ...unsigned } = receipt
  if (openNote(note, key) !== `bailiwick erase v1\n${canonical(unsigned)}\n`) return false
  return !Object.hasOwn(receipt, 'checkpoint') || verifyCheckpoint(receipt['checkpoint'], key) !== undefined
}

/** The hashes of a path. No tree that can be counted has a longer one than 2 × 53. */
function readPath(value: unknown): Buffer[] | undefined {
  if (!Array.isArray(value) || value.length > 106) return undefined
  const hashes = value.map((hash) => fromBase64(hash, 32))
  return hashes.every((hash) => hash !== undefined) ? hashes : undefined
}
