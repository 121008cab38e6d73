import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import type { OpenStore } from '../store/store.ts'
import { looksLikeUrl, maySayPassword, meantBy, readStoreWord, type StoreWord } from '../store/store-word.ts'
import { InputError, UsageError, type Words } from './command.ts'
import { printable, quoted, withoutPassword } from './printable.ts'

/** The option of every command that opens a store. */
export const rootKeyOption = {
  'root-key-env': {
    value: 'name',
    help: 'the environment variable with the root key as base64; default BAILIWICK_ROOT_KEY, if it is set',
  },
} as const

/** Help about the store operand of a command. */
export const storeNotes = [
  'The store is a directory, ./data or sled:./data, or a PostgreSQL database, postgres://…, whose root key is in the',
  'environment. env:NAME reads the URL from the environment variable NAME: so no password is in the list of processes.',
].join('\n')

/**
 * Returns an operand, or for `env:NAME` the value of that environment variable.
 *
 * @throws InputError if the variable is not set
 */
export function wordOf(operand: string): string {
  if (!operand.startsWith('env:')) return operand
  const name = variableName(operand.slice('env:'.length), 'env:')
  const word = process.env[name]
  if (word === undefined || word === '') {
    throw new InputError(`The environment variable ${name} is not set. It should hold the URL of a store.`)
  }
  return word
}

/**
 * Reads the store that an operand names.
 *
 * @throws InputError if it can name no store
 */
export function placeOf(operand: string): Exclude<StoreWord, { readonly kind: 'refused' }> {
  const read = readStoreWord(wordOf(operand))
  if (read.kind === 'refused') throw new InputError(read.problem)
  return read
}

/**
 * Rejects a word for a file or a directory that may hold a password: a mistyped database URL would be taken for a path and shown to
 * the reader of the message.
 *
 * @throws InputError if it may hold a password
 */
export function assertNoPassword(word: string): void {
  if (maySayPassword(word)) throw new InputError(noPath)
}

/**
 * The same for a word by which something is to be made: nothing is called by a URL.
 *
 * @throws InputError if it may hold a password, or begins as a URL does
 */
export function assertNewName(word: string): void {
  if (maySayPassword(word) || looksLikeUrl(word)) throw new InputError(noPath)
}

/** Rejects a word alone that names no directory: it may be a mistyped URL or option, and nothing is made of it. */
async function assertPath(place: ReturnType<typeof placeOf>): Promise<void> {
  if (place.kind !== 'bare' || /[\\/]|^\.{1,2}$/.test(place.path)) return
  if (await isThere(place.path)) return
  const meant = meantBy(place.path)
  throw new InputError(
    `There is no directory ${quoted(place.path)}, and a word alone makes none.${meant === undefined ? '' : ` ${meant}`} ` +
      'For a new directory write ./ before its name.',
  )
}

/**
 * Returns the directory that an operand names, which may exist or not.
 *
 * @throws InputError if it is something else, or a word alone and not there
 */
export async function newDirectoryOf(operand: string): Promise<string> {
  await assertPath(placeOf(operand))
  return directoryOf(operand)
}

/**
 * Returns the directory that an operand names.
 *
 * @throws InputError if it is something else
 */
export function directoryOf(operand: string): string {
  const place = placeOf(operand)
  if ('path' in place) return place.path
  throw new InputError(
    `${printable(withoutPassword(place.url))} is no directory. Name one, such as ./data or sled:./data.`,
  )
}

/**
 * Returns the URL of the place where a store is to be, which may exist or not.
 *
 * @throws InputError if the operand names none
 */
export async function urlOf(operand: string): Promise<string> {
  const place = placeOf(operand)
  await assertPath(place)
  return 'path' in place ? `sled:${place.path}` : place.url
}

/**
 * Returns the URL of an existing store. Whether a database has one is known only after opening it.
 *
 * @throws InputError if none is
 */
export async function existingUrlOf(operand: string): Promise<string> {
  const place = placeOf(operand)
  if (place.kind === 'memory') {
    throw new InputError('A store in memory is in its own process alone. Name a directory or a database.')
  }
  if (place.kind === 'database') return place.url
  if (!(await isStore(place.path))) throw new InputError(await absence(place))
  return `sled:${place.path}`
}

/**
 * Opens the existing store that an operand names. Opening an absent one would create it.
 *
 * @throws InputError if there is none, and what `openStore` rejects with
 */
export async function openExisting(operand: string, options: Words['options']): Promise<OpenStore> {
  const url = await existingUrlOf(operand)
  // Loaded here, so that what needs no store needs no addon.
  const { openWith } = await import('../store/store.ts')
  return await openWith(url, rootKeyOf(options), { mustExist: true })
}

/**
 * Returns the option of `openStore` that names the root key.
 *
 * @throws UsageError if a key stands in the place of a variable's name
 */
export function rootKeyOf({ 'root-key-env': name }: Words['options']): { rootKeyEnv?: string } {
  return typeof name === 'string' ? { rootKeyEnv: variableName(name, '--root-key-env') } : {}
}

/** The name of an environment variable. Anything else is not said again: it may be the secret itself. */
function variableName(name: string, where: string): string {
  if (/^[A-Za-z_]\w*$/.test(name)) return name
  throw new UsageError(`${where} needs the name of an environment variable, not what is in it.`)
}

const noPath =
  'A path is needed here, such as ./data, and this looks like a URL or the settings of a connection. It is not repeated, for it may hold a password.'

async function isStore(directory: string): Promise<boolean> {
  return await stat(join(directory, 'format')).then(
    (found) => found.isFile(),
    () => false,
  )
}

/** Says what is in the place of a store, and what the word may have been meant for. */
async function absence({ kind, path }: Extract<StoreWord, { readonly path: string }>): Promise<string> {
  const hint = (kind === 'bare' ? meantBy(path) : undefined) ?? 'Name the directory of one.'
  return `There is no store in ${quoted(path)}${(await isThere(path)) ? ', but something else' : ''}. ${hint}`
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
