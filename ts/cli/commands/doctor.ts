import { checkStore, findingLines } from '../checked.ts'
import { type Command, Exit } from '../command.ts'
import { rootKeyOption, storeNotes } from '../place.ts'

/** Reads everything in a store. */
export const doctor: Command = {
  summary: 'Reads every record of a store and says whether each is what was written.',
  operands: ['store'],
  options: rootKeyOption,
  notes: [
    storeNotes,
    'A directory must not be open elsewhere; hosts on a database may go on. It says what is wrong, never whose it is.',
    'Like every opening, it finishes what a crash cut off, and removes what has expired.',
    '',
    'Exit codes: 0 it is sound, 1 it is damaged, 2 it cannot be looked at.',
  ].join('\n'),
  run: async (words, terminal) => {
    const findings = await checkStore(words.operands[0] ?? '', words, terminal)
    return { exit: findings.ok ? Exit.holds : Exit.doesNotHold, lines: findingLines(findings), json: findings }
  },
}
