import { checkStore, findingLines } from '../checked.ts'
import { type Command, Exit } from '../command.ts'
import { rootKeyOption, storeNotes } from '../place.ts'

/** Reads everything in a store. */
export const doctor: Command = {
  summary: 'Verifies every record of a store.',
  operands: ['store'],
  options: rootKeyOption,
  notes: [
    storeNotes,
    'A directory must not be open elsewhere; hosts on a database may keep running. The report names no tenant.',
    'Like every opening, it finishes interrupted work, and removes expired records.',
    '',
    'Exit codes: 0 the store is sound, 1 it is damaged, 2 it could not be opened.',
  ].join('\n'),
  run: async (words, terminal) => {
    const findings = await checkStore(words.operands[0] ?? '', words, terminal)
    return { exit: findings.ok ? Exit.holds : Exit.doesNotHold, lines: findingLines(findings), json: findings }
  },
}
