import { open, rm } from 'node:fs/promises'
import { emptyNotice, isEmpty } from '../../../inspect/emptiness.ts'
import { type Command, Exit, InputError, type Outcome, type Terminal, UsageError } from '../../command.ts'
import { assertNewName, storeNotes } from '../../place.ts'
import { printable, quoted } from '../../printable.ts'
import { tenantNotes, tenantOf, tenantOptions, withTenantOf } from '../../tenant.ts'

export const erase: Command = {
  summary: 'Erases one tenant with everything it has, and gives the signed receipt.',
  operands: ['store'],
  options: {
    ...tenantOptions,
    confirm: { value: 'resource id', help: 'the same name again, for who is not asked; without it, it is asked for' },
    receipt: { value: 'file', help: 'where the receipt goes, a file that is not there; default standard output' },
  },
  notes: [
    storeNotes,
    tenantNotes,
    'The keys of the tenant are destroyed first: from then on nothing of it can be read. There is no way back. Backups are beyond',
    'its reach until the root key is rotated, as the receipt says.',
    'Keep the receipt. It is checked without the store: bailiwick verify receipt.json --key <verifier key>',
    '',
    'Exit codes: 0 it is erased, 1 nothing is kept for this name, 2 nothing was erased.',
    '',
    'Example:',
    '  bailiwick erase ./data --tenant acme --confirm acme --receipt acme-erased.json',
  ].join('\n'),
  run: async (words, terminal) => {
    const tenant = tenantOf(words.options)
    const file = words.options['receipt']
    if (typeof file === 'string') assertNewName(file)
    if (words.options['confirm'] !== undefined) assertSame(words.options['confirm'], tenant)
    else if (terminal.ask === undefined) {
      throw new UsageError(
        '--confirm is missing: give the name of the tenant again, because there is no terminal to ask at.',
      )
    }
    return await withTenantOf(words.operands[0] ?? '', words, async ({ runtime, store }) => {
      if (await isEmpty(runtime)) {
        return { exit: Exit.doesNotHold, lines: [`nothing erased: ${emptyNotice}`], json: { erased: false } }
      }
      if (words.options['confirm'] === undefined) await ask(terminal, tenant)
      const { publicKey } = store
      const erased = async () => await runtime.erase({ confirm: tenant })
      if (typeof file !== 'string') {
        const receipt = await erased()
        return outcome(receipt, publicKey, undefined)
      }
      return outcome(await savedIn(file, erased, terminal), publicKey, file)
    })
  },
}

type Receipt = Awaited<ReturnType<Parameters<Parameters<typeof withTenantOf>[2]>[0]['runtime']['erase']>>

function assertSame(said: unknown, tenant: string): void {
  if (said !== tenant) throw new UsageError('--confirm is not the name that --tenant says. Nothing was erased.')
}

/** @throws UsageError unless the name is typed */
async function ask(terminal: Terminal, tenant: string): Promise<void> {
  const said = await terminal.ask?.(
    `Everything of tenant ${quoted(tenant)} is erased, for good. Type its name to go on: `,
  )
  if (said !== tenant) throw new UsageError('That is not the name of the tenant. Nothing was erased.')
}

/**
 * Erases with the file for the receipt already made: what cannot be written is told before anything is gone. If it fills up
 * meanwhile, the receipt is said instead.
 */
async function savedIn(file: string, erased: () => Promise<Receipt>, terminal: Terminal): Promise<Receipt> {
  const made = await open(file, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    const reason = error.code === 'EEXIST' ? 'it is there already' : (error.code ?? 'unknown')
    throw new InputError(`The receipt cannot be written to ${quoted(file)}: ${reason}. Nothing was erased.`)
  })
  let receipt: Receipt
  try {
    receipt = await erased()
  } catch (error) {
    await made.close()
    await rm(file, { force: true })
    throw error
  }
  try {
    await made.writeFile(`${JSON.stringify(receipt, undefined, 2)}\n`)
    await made.sync()
  } catch (error) {
    terminal.print(`${JSON.stringify(receipt)}\n`)
    throw new InputError(
      `It is erased, but the receipt could not be written to ${quoted(file)} (${(error as NodeJS.ErrnoException).code}): keep the one above.`,
    )
  } finally {
    await made.close()
  }
  return receipt
}

function outcome(receipt: Receipt, publicKey: string, file: string | undefined): Outcome {
  const items = Object.values(receipt.storage).reduce((sum, kind) => sum + kind.items, 0)
  const lines = [
    `erased: tenant ${quoted(receipt.tenant.resourceId)} with ${items} items`,
    `  state    ${receipt.complete ? 'keys and rows are gone' : 'keys are gone, rows are still being removed'}`,
    ...receipt.residues.map((residue) => `  beyond   ${printable(residue)}`),
    `  key      ${publicKey}`,
    file === undefined ? `  receipt  ${JSON.stringify(receipt)}` : `  receipt  ${quoted(file)}`,
  ]
  return {
    exit: Exit.holds,
    lines,
    json: { erased: true, receipt, publicKey, ...(file === undefined ? {} : { file }) },
  }
}
