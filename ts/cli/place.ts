import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { OpenStore } from '../runtime/store.ts'
import { InputError, type Words } from './command.ts'
import { printable } from './printable.ts'

/** The option of every command that opens a store. */
export const rootKeyOption = {
  'root-key-env': {
    value: 'name',
    help: 'the environment variable with the root key as base64; default BAILIWICK_ROOT_KEY, if it is set',
  },
} as const

/** The directory that an operand names: `sled:<path>`, as in a store's URL, or the path alone. */
export function directoryOf(operand: string): string {
  const [scheme] = /^[a-z]{2,}:/.exec(operand) ?? []
  const path = scheme === 'sled:' ? operand.slice(scheme.length) : operand
  if ((scheme !== undefined && scheme !== 'sled:') || path === '') {
    throw new InputError(`${printable(operand)} is no store in a directory. Name one, such as ./data or sled:./data.`)
  }
  return path
}

/**
 * Opens a store that is there. Opening one that is not would make it.
 *
 * @throws InputError if there is none, and what `openStore` rejects with
 */
export async function openExisting(directory: string, options: Words['options']): Promise<OpenStore> {
  const isStore = await stat(join(directory, 'format')).then(
    (found) => found.isFile(),
    () => false,
  )
  if (!isStore) throw new InputError(`There is no store in ${printable(directory)}. Name the directory of one.`)
  // Loaded here, so that what needs no store needs no addon.
  const { openWith } = await import('../runtime/store.ts')
  const rootKeyEnv = options['root-key-env']
  return await openWith(`sled:${directory}`, typeof rootKeyEnv === 'string' ? { rootKeyEnv } : {}, {})
}
