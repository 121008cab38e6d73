import { type Command, Exit } from '../command.ts'
import { openExisting, rootKeyOption, storeNotes } from '../place.ts'
import { withProgress } from '../progress.ts'

/** Gives the space of removed records back. */
export const compact: Command = {
  summary: 'Gives the space of removed records back.',
  operands: ['store'],
  options: rootKeyOption,
  notes: [
    storeNotes,
    'A process that has a directory open does it by itself when it is worth it, and at once with store.compact().',
    'On a database there is nothing to do: its autovacuum does it.',
    '',
    'Exit codes: 0 done, 2 not done.',
  ].join('\n'),
  run: async (words, terminal) => {
    await using store = await openExisting(words.operands[0] ?? '', words.options)
    const { bytesBefore, bytesAfter } = await withProgress('Compacting', terminal, words, store.compact())
    const lines = [`done: rows take ${bytesAfter} bytes`, `  before  ${bytesBefore} bytes`]
    return { exit: Exit.holds, lines, json: { bytesBefore, bytesAfter } }
  },
}
