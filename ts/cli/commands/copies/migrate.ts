import { StoreCorruptError } from '../../../errors/index.ts'
import type { Migrated, MigratedSoFar } from '../../../store/migrate.ts'
import { type Command, Exit, type Outcome } from '../../command.ts'
import { existingUrlOf, rootKeyOf, rootKeyOption, storeNotes, urlOf } from '../../place.ts'
import { quoted } from '../../printable.ts'
import { withProgress } from '../../progress.ts'

/** Moves a store to another place. */
export const migrate: Command = {
  summary: 'Moves a store that no process has open to a directory or a PostgreSQL database.',
  operands: ['from', 'to'],
  options: rootKeyOption,
  notes: [
    storeNotes,
    'It goes to a place where nothing is. A new directory is written as a path, such as ./moved; a word alone names only one',
    'that exists. A database must be one that `bailiwick setup` has made ready. Stop every process that uses the store first, and',
    'poolers that keep connections for them; no process can open it while it is moved.',
    'Every record is compared with what was copied, and opened where it is now, before the old place is given up. After that',
    'the store does not open there any more: delete what is left, for what is erased in the new place is still in it.',
    '',
    'If it is cut off, run it again with the same places: it goes on. Until it has ended, the store is where it was, or the',
    'same command finishes it at once.',
    'The root key stays the same. A store that kept it in root.key is opened elsewhere with the variable set to it:',
    '  export BAILIWICK_ROOT_KEY=$(base64 < data/root.key)',
    '',
    'Exit codes: 0 moved, 1 damaged and not moved, 2 not moved.',
    '',
    'Example:',
    '  bailiwick migrate ./data env:STORE_URL',
  ].join('\n'),
  run: async (words, terminal) => {
    const [from, to] = [await existingUrlOf(words.operands[0] ?? ''), await urlOf(words.operands[1] ?? '')]
    // Loaded here, so that what needs no store needs no addon.
    const { migrate } = await import('../../../store/migrate.ts')
    const migration = await migrate(from, to, rootKeyOf(words.options))
    const far = async () => farOf(await migration.soFar())
    try {
      return outcomeOf(await withProgress('Moving', terminal, words, migration.result, far))
    } catch (error) {
      if (!StoreCorruptError.isInstance(error)) throw error
      const { message } = error as Error
      return {
        exit: Exit.doesNotHold,
        lines: [`damaged: ${message}`],
        json: { error: { code: 'STORE_CORRUPT', message } },
      }
    }
  },
}

function farOf({ copied, compared }: MigratedSoFar): string {
  return compared > 0 ? `${compared} of ${copied} rows compared` : `${copied} rows copied`
}

function outcomeOf(migrated: Migrated): Outcome {
  const { from, to, hasKeyBeside, rows, tenants, bytes, written } = migrated
  const key = `root.key in ${quoted(from.slice('sled:'.length))}`
  const lines = [
    rows === undefined
      ? `moved: an earlier call had moved everything to ${quoted(to)}`
      : `moved: the store is in ${quoted(to)}`,
    ...(rows === undefined
      ? []
      : [
          `  holds  ${rows} rows of ${tenants === 1 ? '1 tenant' : `${tenants} tenants`}, ${bytes} bytes; ${written} rows were not there yet`,
        ]),
    ...(hasKeyBeside
      ? [`  key    its root key is ${key}: set BAILIWICK_ROOT_KEY to it, as base64, wherever the store is opened`]
      : []),
    `  old    ${quoted(from)} does not open any more; delete it, for what is erased from now on is still in it`,
  ]
  return { exit: Exit.holds, lines, json: migrated }
}
