import { join } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'

/** Imports an ES module of a rival. Rejects if it is not installed. */
export async function rivalModule<T>(name: string): Promise<T> {
  const file = pathToFileURL(join(process.cwd(), 'bench', 'contenders', 'import-rival.mjs')).href
  const { importRival } = (await import(file)) as { importRival: (name: string) => Promise<T> }
  return importRival(name)
}
