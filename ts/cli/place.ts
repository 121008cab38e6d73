import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import type { OpenStore } from '../runtime/store.ts'
import { InputError, UsageError, type Words } from './command.ts'
import { isDatabaseUrl, maySayPassword, printable, quoted, withoutPassword } from './printable.ts'

/** The option of every command that opens a store. */
export const rootKeyOption = {
  'root-key-env': {
    value: 'name',
    help: 'the environment variable with the root key as base64; default BAILIWICK_ROOT_KEY, if it is set',
  },
} as const

/** What the help of a command says of the store that it takes. */
export const storeNotes = [
  'The store is a directory, ./data or sled:./data, or a PostgreSQL database, postgres://…, whose root key is in the',
  'environment. env:NAME reads the URL from the environment variable NAME: so no password is in the list of processes.',
].join('\n')

/**
 * What an operand says: itself, or for `env:NAME` what that environment variable holds.
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
 * The URL of the store that an operand names: a path alone is that of a directory.
 *
 * @throws InputError if it names none
 */
export function urlOf(operand: string): string {
  const word = wordOf(operand)
  if (!isDatabaseUrl(word)) assertNoPassword(word)
  const [scheme] = /^[a-z]{2,}:/i.exec(word) ?? []
  const known = scheme === undefined || ['sled:', 'memory:', 'postgres:', 'postgresql:'].includes(scheme)
  if (!known || word === '' || word === 'sled:') {
    throw new InputError(
      `${shown(word)} is no store. Name a directory, such as ./data or sled:./data, or a database, postgres://….`,
    )
  }
  return scheme === undefined ? `sled:${word}` : word
}

/**
 * A word that names a file or a directory, or should: a URL of a database with a mistake in it would be taken for one, made
 * as one, and told to whoever reads the message.
 *
 * @throws InputError if it may hold a password
 */
export function assertNoPassword(word: string): void {
  if (maySayPassword(word)) {
    throw new InputError(
      'A word looks like the URL of a database, and is none that can be used here. It is not repeated, for it may hold a ' +
        'password. A URL begins with postgres://, without quotes or spaces before it.',
    )
  }
}

/**
 * The directory that an operand names.
 *
 * @throws InputError if it is something else
 */
export function directoryOf(operand: string): string {
  const url = urlOf(operand)
  if (!url.startsWith('sled:')) {
    throw new InputError(`${shown(url)} is no directory. Name one, such as ./data or sled:./data.`)
  }
  return url.slice('sled:'.length)
}

/**
 * Opens the store that an operand names, if it is there. Opening one that is not would make it.
 *
 * @throws InputError if there is none, and what `openStore` rejects with
 */
export async function openExisting(operand: string, options: Words['options']): Promise<OpenStore> {
  const url = urlOf(operand)
  if (url.startsWith('memory:')) {
    throw new InputError('A store in memory is in its own process alone. Name a directory or a database.')
  }
  if (url.startsWith('sled:')) await assertStoreIn(url.slice('sled:'.length))
  // Loaded here, so that what needs no store needs no addon.
  const { openWith } = await import('../runtime/store.ts')
  return await openWith(url, rootKeyOf(options), { mustExist: true })
}

/**
 * Where the root key is, as `openStore` takes it.
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

async function assertStoreIn(directory: string): Promise<void> {
  const isStore = await stat(join(directory, 'format')).then(
    (found) => found.isFile(),
    () => false,
  )
  if (!isStore) throw new InputError(`There is no store in ${quoted(directory)}. Name the directory of one.`)
}

function shown(word: string): string {
  return word === '' ? 'An empty word' : printable(withoutPassword(word))
}
