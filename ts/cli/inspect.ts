import { once } from 'node:events'
import process from 'node:process'
import { SpecError, StoreLockedError } from '../errors/index.ts'
import type { Inspector } from '../inspect/server.ts'
import type { OpenStore } from '../runtime/store.ts'
import type { RuntimeSpec } from '../spec/index.ts'
import { type Command, Exit, InputError, type Terminal, UsageError, type Words } from './command.ts'
import { openExisting, rootKeyOption, storeNotes } from './place.ts'
import { quoted } from './printable.ts'

/** Shows one tenant on a local web page. */
export const inspect: Command = {
  summary: 'Shows one tenant of a store on a local web page, and decides its approvals there.',
  operands: ['store'],
  options: {
    tenant: { value: 'resource id', help: 'whose: the resourceId of the tenant; required' },
    port: { value: 'number', help: 'the port on 127.0.0.1; default one that is free' },
    ...rootKeyOption,
  },
  notes: [
    storeNotes,
    'A running host locks a directory; hosts on a database may go on.',
    'Like every opening, it finishes what a crash cut off, and removes what has expired.',
    'The page is on 127.0.0.1 alone, and for the browser that opens the printed link first. It ends with Ctrl+C.',
    'With --json, a line with the url is written when it is there, and another when it has ended.',
    '',
    'Whoever opens the link reads everything of the tenant and decides for it; the ledger says the name that is typed.',
    '',
    'Exit codes: 0 it was there until it was ended, 2 it cannot be shown.',
    '',
    'Example:',
    '  bailiwick inspect ./data --tenant acme',
  ].join('\n'),
  run: async (words, terminal) => {
    const [tenant, port] = [tenantOf(words.options), portOf(words.options)]
    // Says what is wrong with the name before anything is opened.
    const spec = await specOf(tenant)
    await using store = await openUnlocked(words.operands[0] ?? '', words.options)
    const { createRuntime } = await import('../runtime/create-runtime.ts')
    await using runtime = await createRuntime(spec, { store })
    const inspector = await start({ runtime, publicKey: store.publicKey }, port)
    // Listened for before anybody is told: whoever reads the line may end it at once.
    const ended = interrupted()
    announce(inspector, tenant, words, terminal)
    await ended
    await inspector.close()
    return { exit: Exit.holds, lines: ['ended'], json: { ended: true } }
  },
}

function tenantOf({ tenant }: Words['options']): string {
  if (typeof tenant !== 'string') throw new UsageError('--tenant is missing: the resourceId of the tenant to show.')
  return tenant
}

/** A spec without agents. Its version is part of no key, so any shows the same. */
async function specOf(tenant: string): Promise<RuntimeSpec> {
  const { defineRuntime, defineTenant } = await import('../spec/index.ts')
  try {
    return defineRuntime({ tenant: defineTenant(tenant, 'inspect') })
  } catch (error) {
    if (!SpecError.isInstance(error)) throw error
    throw new UsageError(`--tenant is no resourceId: ${error.issues.map(({ message }) => message).join(' ')}`)
  }
}

function portOf({ port }: Words['options']): number {
  if (typeof port !== 'string') return 0
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw new UsageError('--port is no number from 0 to 65535.')
  return Number(port)
}

async function openUnlocked(operand: string, options: Words['options']): Promise<OpenStore> {
  try {
    return await openExisting(operand, options)
  } catch (error) {
    if (!StoreLockedError.isInstance(error)) throw error
    throw new StoreLockedError(
      'Another process, such as a running host, has this store open, and a directory is open in one process at a time. ' +
        'Stop it there, or let it make a copy (store.backup) and inspect that.',
    )
  }
}

async function start(subject: Parameters<typeof import('../inspect/server.ts').startInspector>[0], port: number) {
  const { startInspector } = await import('../inspect/server.ts')
  try {
    return await startInspector(subject, port)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    throw new InputError(
      `Port ${port} of 127.0.0.1 cannot be used (${code}). Leave --port out to get one that is free.`,
    )
  }
}

function announce({ url }: Inspector, tenant: string, words: Words, terminal: Terminal): void {
  const lines = `Tenant ${quoted(tenant)} is shown here until you press Ctrl+C. The link is good once:\n  ${url}`
  terminal.print(`${words.json ? JSON.stringify({ url }) : lines}\n`)
}

/** Resolves when the process is asked to end. */
async function interrupted(): Promise<void> {
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
}
