import { fromBase64 } from './base64.ts'
import { isObject } from './canonical.ts'
import type { Tree } from './merkle-tree.ts'
import { type NoteKey, openNote } from './signed-note.ts'

/** Contents of a verified checkpoint. */
export interface VerifiedCheckpoint extends Tree {
  /** Origin of the ledger: the name of the store's key, `/`, and 16 hex digits. */
  readonly origin: string
}

/**
 * Returns the contents of a checkpoint. `undefined` unless its note is signed by this key, has an origin below the key's name, and says
 * the same size and root as its fields.
 */
export function verifyCheckpoint(value: unknown, key: NoteKey): VerifiedCheckpoint | undefined {
  if (!isObject(value)) return undefined
  const { note, size, rootHash } = value
  const root = fromBase64(rootHash, 32)
  if (!Number.isSafeInteger(size) || (size as number) < 0 || root === undefined) return undefined
  const text = openNote(note, key)
  const origin = text?.slice(0, text.indexOf('\n'))
  if (origin === undefined || text !== `${origin}\n${size}\n${rootHash}\n` || !isOriginOf(key.name, origin)) {
    return undefined
  }
  return { origin, size: size as number, root }
}

function isOriginOf(name: string, origin: string): boolean {
  return origin.startsWith(`${name}/`) && /^[0-9a-f]{16}$/.test(origin.slice(name.length + 1))
}
