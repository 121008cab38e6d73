import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { onTestFinished } from 'vitest'
import { type OpenStore, openWith } from '../../ts/store/store.ts'
import { freshFolder } from './stores.ts'

/** What `scripts/fixtures/store.mjs` packs. */
interface Fixture<Facts> {
  readonly name: string
  readonly madeAt: number
  readonly facts: Facts
  /** The files, in base64, by path; a folder's path ends with a slash. */
  readonly files: { readonly [path: string]: string }
}

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url))

/** The stores of earlier versions in a folder of `test/fixtures`. */
export function storesIn(folder: string): readonly string[] {
  return readdirSync(join(fixtures, folder)).filter((name) => name.endsWith('.json.gz'))
}

/** Opens a copy of one, with the clock at a moment after it was made: retention and approvals do not go by the calendar. */
export async function openStoreOf<Facts>(folder: string, name: string): Promise<{ store: OpenStore; facts: Facts }> {
  const text = gunzipSync(readFileSync(join(fixtures, folder, name))).toString()
  const { files, madeAt, facts } = JSON.parse(text) as Fixture<Facts>
  const path = join(freshFolder(), 'store')
  for (const [file, content] of Object.entries(files)) {
    const isFolder = file.endsWith('/')
    mkdirSync(isFolder ? join(path, file) : dirname(join(path, file)), { recursive: true, mode: 0o700 })
    if (!isFolder) writeFileSync(join(path, file), Buffer.from(content, 'base64'), { mode: 0o600 })
  }
  const store = await openWith(`sled:${path}`, { rootKey: Buffer.alloc(32, 7) }, { now: madeAt + 1000 })
  onTestFinished(() => store.close())
  return { store, facts }
}
