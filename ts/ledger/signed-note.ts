// Signed notes as of C2SP signed-note, with Ed25519 alone: a text, an empty line, and lines of signatures.
import type { KeyObject } from 'node:crypto'
import { fromBase64 } from './base64.ts'
import { crypto } from './crypto.ts'

/** A public key that checks notes. */
export interface NoteKey {
  readonly name: string
  /** The first 4 bytes of a hash over the name and the key. */
  readonly id: Buffer
  readonly key: KeyObject
}

/** The algorithm identifier of Ed25519. */
const ed25519 = 1
/** DER prefix of the 32 bytes of an Ed25519 key (RFC 8410). */
const derPrefix = Buffer.from('302a300506032b6570032100', 'hex')
/** Longer notes are not read: nothing that is signed here comes near. */
const longestNote = 1_000_000

/** The key of `<name>+<8 hex digits of the id>+<base64(0x01 ‖ public key)>`; `undefined` for anything else. */
export function readNoteKey(encoded: unknown): NoteKey | undefined {
  if (typeof encoded !== 'string') return undefined
  const [, name, id, base64] = /^([^+]*)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]*)$/.exec(encoded) ?? []
  const typed = fromBase64(base64, 33)
  if (name === undefined || !isKeyName(name) || typed?.[0] !== ed25519) return undefined
  const hash = crypto().createHash('sha256').update(`${name}\n`).update(typed).digest().subarray(0, 4)
  if (hash.toString('hex') !== id) return undefined
  const key = crypto().createPublicKey({
    key: Buffer.concat([derPrefix, typed.subarray(1)]),
    format: 'der',
    type: 'spki',
  })
  return { name, id: hash, key }
}

/**
 * The text of a note that this key signed. `undefined` if it is not a note, if this key's signature is not there, or if
 * one of that name and id is wrong. Signatures of other keys (witnesses) may be there and are not checked.
 */
export function openNote(note: unknown, key: NoteKey): string | undefined {
  if (typeof note !== 'string' || note.length > longestNote || !isText(note)) return undefined
  const end = note.lastIndexOf('\n\n')
  if (end < 0 || !note.endsWith('\n') || note.length < end + 3) return undefined
  const text = note.slice(0, end + 1)
  let signed = false
  for (const line of note.slice(end + 2, -1).split('\n')) {
    const signature = readSignature(line)
    if (signature === undefined) return undefined
    if (signature.name !== key.name || !signature.id.equals(key.id)) continue
    if (signature.bytes.length !== 64) return undefined
    if (!crypto().verify(null, Buffer.from(text), key.key, signature.bytes)) return undefined
    signed = true
  }
  return signed ? text : undefined
}

/** `— <name> <base64 of (id ‖ signature)>` */
function readSignature(line: string): { name: string; id: Buffer; bytes: Buffer } | undefined {
  const [dash, name, base64, ...more] = line.split(' ')
  const bytes = fromBase64(base64)
  if (dash !== '—' || name === undefined || !isKeyName(name) || more.length > 0) return undefined
  if (bytes === undefined || bytes.length < 5) return undefined
  return { name, id: bytes.subarray(0, 4), bytes: bytes.subarray(4) }
}

function isKeyName(name: string): boolean {
  return /^[^\p{White_Space}+]+$/u.test(name)
}

/** Whether it is well-formed Unicode without control characters below U+0020, line feeds excepted. */
function isText(text: string): boolean {
  if (!text.isWellFormed()) return false
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index)
    if (unit < 0x20 && unit !== 0x0a) return false
  }
  return true
}
