import { type Command, Exit } from '../../command.ts'
import { newDirectoryOf, openExisting, rootKeyOption, storeNotes } from '../../place.ts'
import { quoted } from '../../printable.ts'
import { withProgress } from '../../progress.ts'

/** Copies a store. */
export const backup: Command = {
  summary: 'Copies a store into a new directory.',
  operands: ['store', 'directory'],
  options: rootKeyOption,
  notes: [
    storeNotes,
    'The new directory is written as a path, such as ./copy or backups/monday. A word alone names only one that exists.',
    'A directory that a process has open is copied by it: store.backup(directory). Hosts on a database may go on.',
    'The copy is there as a whole or not at all. It is a store itself, but for the root key: keep that apart, for without',
    'it nothing in the copy can be read. It lies in root.key of a directory unless you brought your own.',
    '',
    'Exit codes: 0 made, 2 not made.',
  ].join('\n'),
  run: async (words, terminal) => {
    const [from = '', copy = ''] = words.operands
    const to = await newDirectoryOf(copy)
    await using store = await openExisting(from, words.options)
    const made = await withProgress('Copying', terminal, words, store.backup(to))
    const lines = [
      `made: a copy in ${quoted(to)}`,
      `  holds  ${made.rows} rows, ${made.bytes} bytes`,
      '  lacks  the root key; keep that elsewhere',
    ]
    return { exit: Exit.holds, lines, json: { directory: to, ...made } }
  },
}
