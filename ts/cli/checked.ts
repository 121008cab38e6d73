import { StoreCorruptError } from '../errors/index.ts'
import type { StoreCheck } from '../store/store.ts'
import type { Terminal, Words } from './command.ts'
import { openExisting } from './place.ts'
import { withProgress } from './progress.ts'

/** Result of reading a whole store: counts and problems. */
export type Findings = Pick<StoreCheck, 'ok' | 'count' | 'problems'> & Partial<StoreCheck>

/**
 * Reads everything in the store that an operand names and says what is wrong. Damage that keeps a store from being opened is found as well.
 *
 * @throws InputError, and every other error of opening a store
 */
export async function checkStore(operand: string, words: Words, terminal: Terminal): Promise<Findings> {
  try {
    await using store = await openExisting(operand, words.options)
    const found = await withProgress('Reading every record', terminal, words, store.check())
    const { problems } = await store.health()
    const count = problems.length + found.count
    return { ...found, ok: count === 0, count, problems: [...problems, ...found.problems] }
  } catch (error) {
    if (StoreCorruptError.isInstance(error)) return { ok: false, count: 1, problems: [(error as Error).message] }
    throw error
  }
}

/** Returns the findings as lines. */
export function findingLines({ ok, tenants, rows, bytes, count, problems }: Findings): string[] {
  const read =
    rows === undefined
      ? []
      : [`  read     ${rows} rows, ${bytes} bytes, those of the store itself too`, `  tenants  ${tenants}`]
  const more = count - problems.length
  return [
    ok ? 'sound: every record is what was written' : 'damaged: see below; nothing was repaired',
    ...read,
    ...problems.map((problem) => `  problem  ${problem}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ]
}
