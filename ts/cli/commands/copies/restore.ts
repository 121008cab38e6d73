import { checkStore, findingLines } from '../../checked.ts'
import { type Command, Exit, InputError } from '../../command.ts'
import { directoryOf, newDirectoryOf, openExisting, placeOf, rootKeyOption } from '../../place.ts'
import { quoted } from '../../printable.ts'
import { withProgress } from '../../progress.ts'

/** Makes a store of a backup. */
export const restore: Command = {
  summary: 'Checks a backup and makes a store of it in a new directory.',
  operands: ['directory', 'store'],
  options: rootKeyOption,
  notes: [
    'The directory is what backup made; the store is a directory that is not there yet, or is empty. A new one is written as a',
    'path, such as ./data; a word alone names only one that exists. Both are opened with the root key of the store that was',
    'copied. If that was kept in root.key there, put that file into the backup, and later into the new store, or set the',
    'variable to it: base64 root.key.',
    'A backup that is damaged is not restored. One that is sound stays as it is, but for what has expired in it.',
    'To restore into a PostgreSQL database, restore into a directory, and move that with bailiwick migrate.',
    '',
    'Exit codes: 0 restored, 1 the backup is damaged, 2 not restored.',
  ].join('\n'),
  run: async (words, terminal) => {
    const [backup = '', target = ''] = words.operands
    const [from, to] = [directoryOf(backup), await targetOf(target)]
    const findings = await checkStore(`sled:${from}`, words, terminal)
    if (!findings.ok) {
      return { exit: Exit.doesNotHold, lines: findingLines(findings), json: findings }
    }
    await using store = await openExisting(`sled:${from}`, words.options)
    const made = await withProgress('Restoring', terminal, words, store.backup(to))
    const lines = [`restored: a store in ${quoted(to)}`, `  holds  ${made.rows} rows, ${made.bytes} bytes`]
    return { exit: Exit.holds, lines, json: { store: `sled:${to}`, ...made } }
  },
}

/** @throws InputError if it is no directory */
async function targetOf(operand: string): Promise<string> {
  if (placeOf(operand).kind !== 'database') return await newDirectoryOf(operand)
  throw new InputError(
    'A backup is restored into a directory. To bring it into a database, move that there: bailiwick migrate <directory> <url>.',
  )
}
