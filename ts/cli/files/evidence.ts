import { createReadStream } from 'node:fs'
import { isObject } from '../../ledger/canonical.ts'
import { parseStrictly } from '../../ledger/strict-json.ts'
import type { ConsistencyProof, EraseReceipt, InclusionProof } from '../../types/approvals.ts'
import { InputError } from '../command.ts'
import { assertNoPassword } from '../place.ts'
import { printable } from '../printable.ts'

/** No proof or receipt comes near; more is not read. */
const mostBytes = 8 << 20

/** Something that may be verified, told apart by its shape alone. What is in it may still be anything. */
export type Evidence =
  | { readonly kind: 'inclusion'; readonly value: InclusionProof }
  | { readonly kind: 'consistency'; readonly value: ConsistencyProof }
  | { readonly kind: 'receipt'; readonly value: EraseReceipt }

/**
 * Reads a proof or a receipt from a file.
 *
 * @throws InputError if it cannot be read, is not JSON that every reader reads alike, or is nothing that can be verified
 */
export async function readEvidence(file: string): Promise<Evidence> {
  assertNoPassword(file)
  const value = parse(await readText(file), file)
  if (isObject(value)) {
    // Own members only: a `__proto__` in the file has no effect.
    const has = (...names: readonly string[]) => names.every((name) => Object.hasOwn(value, name))
    if (has('checkpoint', 'record', 'opening', 'path')) return { kind: 'inclusion', value: value as never }
    if (has('from', 'to', 'path')) return { kind: 'consistency', value: value as never }
    if (isReceipt(value)) return { kind: 'receipt', value }
  }
  throw new InputError(
    `${printable(file)} is neither an inclusion proof nor a consistency proof nor an erase receipt. ` +
      'Save what approvals.prove, approvals.proveConsistency or erase gave as JSON.',
  )
}

/** Returns whether a receipt has the members that are shown. All of it is signed, so `verifyReceipt` checks no shape. */
function isReceipt(value: { readonly [name: string]: unknown }): value is EraseReceipt & typeof value {
  const { tenant, erasedAt, complete, residues, note } = value
  const ofTenant = isObject(tenant) && isText(tenant['resourceId']) && isText(tenant['version'])
  const members = Number.isSafeInteger(erasedAt) && typeof complete === 'boolean' && isText(note)
  return ofTenant && members && Array.isArray(residues) && residues.every(isText)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function parse(text: string, file: string): unknown {
  try {
    return parseStrictly(text)
  } catch (error) {
    throw new InputError(`${printable(file)} ${(error as SyntaxError).message}.`)
  }
}

async function readText(file: string): Promise<string> {
  const bytes = await readBytes(file)
  if (bytes === undefined) {
    throw new InputError(`${printable(file)} has more than ${mostBytes} bytes (8 MiB), so it is no proof or receipt.`)
  }
  try {
    // A byte order mark stays, and is no JSON.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new InputError(`${printable(file)} is not UTF-8 text.`)
  }
}

/** All bytes of a file, pipe or device; `undefined` if there are too many, without reading them. */
async function readBytes(file: string): Promise<Buffer | undefined> {
  const parts: Buffer[] = []
  let length = 0
  try {
    // Leaving the loop closes the file.
    for await (const part of createReadStream(file) as AsyncIterable<Buffer>) {
      length += part.length
      if (length > mostBytes) return undefined
      parts.push(part)
    }
    return Buffer.concat(parts)
  } catch (error) {
    throw new InputError(`${printable(file)} cannot be read: ${reasonOf(error)}.`)
  }
}

const reasons: { readonly [code: string]: string } = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a directory',
  EACCES: 'its permissions forbid it',
}

/** Why the system refused, in words where we have them. */
function reasonOf(error: unknown): string {
  const code = String((error as NodeJS.ErrnoException).code)
  return reasons[code] ?? code
}
