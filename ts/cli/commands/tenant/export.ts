import { mkdtemp, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { emptyNotice, isEmpty } from '../../../inspect/emptiness.ts'
import { type Command, Exit, InputError } from '../../command.ts'
import { exportInto } from '../../files/export-files.ts'
import { newDirectoryOf, storeNotes } from '../../place.ts'
import { quoted } from '../../printable.ts'
import { withProgress } from '../../progress.ts'
import { tenantNotes, tenantOptions, withTenantOf } from '../../tenant.ts'

/** Exports the data of a tenant into plain files. */
export const exportTenant: Command = {
  summary: 'Exports one tenant as JSON lines and plain files into a new directory.',
  operands: ['store', 'directory'],
  options: tenantOptions,
  notes: [
    storeNotes,
    tenantNotes,
    'The directory must not be there yet, or be empty. A new one is written as a path, such as ./acme-export; a word alone names',
    'only one that exists. It is there as a whole or not at all; a host that works meanwhile may change what was not read yet. All of it is plain text and plain values, for the owner of the directory alone: keep it as you would the keys.',
    '',
    '  tenant.json          whose it is, when it was written, the store’s key and the number of lines of each file',
    '  references.jsonl     what is known of each value; the value itself is in references/<id>',
    '  plans.jsonl          every version of every plan',
    '  approvals.jsonl      approvals that wait, and those that were decided as long as they are kept',
    '  ledger.jsonl         every decision, with checkpoint.json, the signed state of the ledger',
    '  threads.jsonl        threads, and messages.jsonl their messages',
    '  runs.jsonl           runs, and events.jsonl their events; waits.jsonl their calls that wait;',
    '                       traces.jsonl what happened outside of them',
    '  usage.json           what counts, and tokens by model',
    'Cached values have no list, so they are not in it.',
    '',
    'Exit codes: 0 exported, 1 no data for this tenant, 2 not exported.',
    '',
    'Example:',
    '  bailiwick export ./data ./acme-export --tenant acme',
  ].join('\n'),
  run: async (words, terminal) => {
    const [store = '', target = ''] = words.operands
    const directory = await newDirectoryOf(target)
    await assertFree(directory)
    return await withTenantOf(store, words, async ({ runtime, store }) => {
      if (await isEmpty(runtime)) {
        return { exit: Exit.doesNotHold, lines: [`nothing written: ${emptyNotice}`], json: { exported: false } }
      }
      const done = { lines: 0, values: 0 }
      const work = asAWhole(directory, (folder) => exportInto(folder, { runtime, publicKey: store.publicKey }, done))
      const written = await withProgress('Exporting', terminal, words, work, async () => `${done.lines} lines`)
      const lines = [
        `exported: tenant ${quoted(runtime.tenant.resourceId)} to ${quoted(directory)}`,
        ...Object.entries(written).map(([file, count]) => `  ${file}  ${count}`),
        `  values  ${done.values}`,
      ]
      return { exit: Exit.holds, lines, json: { exported: true, directory, lines: written, values: done.values } }
    })
  },
}

/** @throws InputError if the file or directory exists */
async function assertFree(directory: string): Promise<void> {
  const inside = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new InputError(`${quoted(directory)} cannot be written to: ${error.code}.`)
  })
  if (inside.length > 0)
    throw new InputError(
      `The directory ${quoted(directory)} is not empty; nothing was written. Name another directory.`,
    )
}

/** Fills a folder beside the directory and gives it that name when it is whole. What is not is removed. */
async function asAWhole<T>(directory: string, fill: (folder: string) => Promise<T>): Promise<T> {
  const path = resolve(directory)
  const folder = await mkdtemp(join(dirname(path), `.${basename(path)}.unfinished-`)).catch(
    (error: NodeJS.ErrnoException) => {
      throw new InputError(`${quoted(directory)} cannot be made: ${error.code}.`)
    },
  )
  try {
    const filled = await fill(folder)
    // An empty one may be there; one with something in it stays, and this fails.
    await rmdir(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw new InputError(`${quoted(directory)} is in the way: ${error.code}.`)
    })
    await rename(folder, path)
    return filled
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    if (error instanceof Error && 'syscall' in error) {
      throw new InputError(`The export cannot be written: ${(error as NodeJS.ErrnoException).code}.`)
    }
    throw error
  }
}
