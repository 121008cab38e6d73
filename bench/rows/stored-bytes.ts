import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createRuntime, defineRuntime, defineTenant, openStore } from 'bailiwick'
import { storedBytes } from '../disk.ts'
import type { Conditions, Figure, Finding } from '../finding.ts'
import { manyBytes } from '../values.ts'

const COUNT = 50
const BYTES = 100_000

/** What large values take on the disk, after the store was closed. */
export async function storedLargeValues(conditions: Conditions): Promise<Finding> {
  const folder = join(conditions.folder, 'stored')
  mkdirSync(folder)
  const values = manyBytes(COUNT, BYTES)
  const empty = await fill(join(folder, 'empty'), [])
  const full = await fill(join(folder, 'bailiwick'), values)
  const figures: Figure[] = [
    { contender: 'bailiwick', what: 'stored MB, whole folder', value: full / 1e6 },
    { contender: 'bailiwick', what: 'stored MB without any value', value: empty / 1e6 },
  ]
  if (conditions.rivals.lmdb !== undefined) {
    const path = join(folder, 'lmdb')
    const database = conditions.rivals.lmdb.open({ path, encoding: 'binary', separateFlushed: true })
    for (const [index, value] of values.entries()) await database.put(`key ${index}`, value).flushed
    await database.close()
    figures.push({ contender: 'lmdb', what: 'stored MB, whole folder', value: storedBytes(path) / 1e6 })
  }
  return {
    row: 'bytes stored for large values',
    load: `${COUNT} × ${BYTES} B of random bytes, ${(COUNT * BYTES) / 1e6} MB`,
    figures,
    ratios: [{ of: 'whole folder ÷ bytes of the values', value: full / (COUNT * BYTES), target: { atMost: 1.1 } }],
  }
}

async function fill(path: string, values: readonly Uint8Array[]): Promise<number> {
  const store = await openStore(`sled:${path}`)
  const runtime = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1') }), { store })
  for (const value of values) await runtime.references.put('sample', value)
  await store.close()
  return storedBytes(path)
}
