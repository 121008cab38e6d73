import { crypto } from '../ledger/crypto.ts'
import { byteLengthOf } from '../native/message.ts'

/** The environment variable that holds the root key unless `rootKeyEnv` names another. */
export const ROOT_KEY_VARIABLE = 'BAILIWICK_ROOT_KEY'

export const ROOT_KEY_BYTES = 32

/** Root keys given to this process. Only hashes are kept. */
interface RootKeys {
  /** The environment variables that stores were opened by. */
  readonly variables: Set<string>
  /** SHA-256 of the keys, so that they are recognised under every name. */
  readonly hashes: Set<string>
}

/** Key of the data that a worker receives from its parent thread. */
const shared = 'bailiwick.root-keys.1'

/** Shaped like a root key: 32 bytes as base64, in either alphabet, or as hex; nothing that is part of something longer. */
const shape = /(?<![\w+/-])(?:[\w+/-]{43}=?|[0-9a-fA-F]{64})(?![\w+/=-])/g

/** Notes that a store is opened by what this variable holds. */
export function rememberVariable(name: string): void {
  rootKeys().variables.add(spelled(name))
}

/** Notes a root key: its bytes, or its text. */
export function rememberRootKey(key: Uint8Array | string): void {
  const bytes = typeof key === 'string' ? bytesOf(key) : key
  // Anything else is refused as a key; the hash of nothing would be that of every empty variable.
  if (byteLengthOf(bytes) !== ROOT_KEY_BYTES) return
  // A copy, because the memory may be shared, and the object may say anything of itself.
  const copy = Buffer.alloc(ROOT_KEY_BYTES)
  copy.set(bytes)
  rootKeys().hashes.add(hash(copy))
}

/**
 * Whether a variable is that of a root key: a store was opened by it, or it holds the key of one. The second finds a key
 * that came by another way, and one under two names.
 */
export function isRootKey(name: string, value = process.env[name]): boolean {
  return rootKeys().variables.has(spelled(name)) || (value !== undefined && rootKeys().hashes.has(hash(bytesOf(value))))
}

/** Returns a text without root keys: those in variables now, and words with the hash of one. */
export function withoutRootKeys(text: string): string {
  let left = text
  for (const name of rootKeys().variables) {
    const value = process.env[name]?.trim()
    if (value) left = left.replaceAll(value, '[redacted]')
  }
  return left.replace(shape, (word) => (rootKeys().hashes.has(hash(bytesOf(word))) ? '[redacted]' : word))
}

function rootKeys(): RootKeys {
  const threads = process.getBuiltinModule('node:worker_threads')
  const known = threads.getEnvironmentData(shared) as unknown as RootKeys | undefined
  if (known !== undefined) return known
  const none: RootKeys = { variables: new Set([ROOT_KEY_VARIABLE]), hashes: new Set() }
  // A worker gets a copy of what is known when it is started.
  threads.setEnvironmentData(shared, none as never)
  return none
}

/** Windows does not tell `Path` from `PATH`. */
function spelled(name: string): string {
  return process.platform === 'win32' ? name.toUpperCase() : name
}

function bytesOf(text: string): Uint8Array {
  const word = text.trim()
  return Buffer.from(word, /^[0-9a-f]{64}$/i.test(word) ? 'hex' : 'base64')
}

function hash(bytes: Uint8Array): string {
  return crypto().createHash('sha256').update(bytes).digest('base64')
}
