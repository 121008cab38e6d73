import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { BailiwickError, SpecError } from '../../ts/index.ts'
import { runtimeSpecFromDump } from '../../ts/spec/dump/from-dump.ts'

/** What is wrong with a dump, by path, or the code of the error that goes before. Rust runs the same table. */
interface Row {
  readonly name: string
  readonly dump: unknown
  readonly issues?: Record<string, string>
  readonly error?: string
}

const table = JSON.parse(readFileSync(new URL('../fixtures/hostile-specs.json', import.meta.url), 'utf8')) as Row[]

function outcome(dump: unknown): Pick<Row, 'issues' | 'error'> {
  try {
    runtimeSpecFromDump(dump)
    return { issues: {} }
  } catch (error) {
    if (SpecError.isInstance(error)) {
      return { issues: Object.fromEntries(error.issues.map(({ path, message }) => [path, message])) }
    }
    if (BailiwickError.isInstance(error)) return { error: error.code }
    throw error
  }
}

it.each(table)('hostile spec: $name', ({ dump, issues, error }) => {
  expect(outcome(dump)).toEqual(error === undefined ? { issues } : { error })
})
