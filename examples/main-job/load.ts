import type { Reference, Runtime } from 'bailiwick'
import type { DataSet } from './data-sets.ts'
import type { Progress } from './terminal.ts'

const ROWS_A_REFERENCE = 250
const REFERENCES_A_COMMIT = 16

/** One tenant's references to one data set. */
export interface Loaded {
  readonly name: string
  /** The published file. */
  readonly file: Reference
  /** Its rows, in parts. */
  readonly parts: readonly Reference[]
}

/** Stores a data set for a tenant: the file once, and its rows in parts. */
export async function load(runtime: Runtime, dataSet: DataSet, progress: Progress): Promise<Loaded> {
  const file = await runtime.references.put('file', dataSet.file, { mediaType: dataSet.mediaType })
  progress.add(1, file.byteLength)
  const items = Array.from({ length: Math.ceil(dataSet.rows.length / ROWS_A_REFERENCE) }, (_, part) => {
    const rows = dataSet.rows.slice(part * ROWS_A_REFERENCE, (part + 1) * ROWS_A_REFERENCE)
    return { type: 'rows', value: rows }
  })
  const parts: Reference[] = []
  for (let start = 0; start < items.length; start += REFERENCES_A_COMMIT) {
    const kept = await runtime.references.putMany(items.slice(start, start + REFERENCES_A_COMMIT))
    parts.push(...kept)
    progress.add(
      kept.length,
      kept.reduce((sum, reference) => sum + reference.byteLength, 0),
    )
  }
  return { name: dataSet.name, file, parts }
}
