import { once } from 'node:events'
import process from 'node:process'
import { emptyNotice, isEmpty } from '../../inspect/emptiness.ts'
import type { Inspector } from '../../inspect/server.ts'
import { type Command, Exit, InputError, type Terminal, UsageError, type Words } from '../command.ts'
import { storeNotes } from '../place.ts'
import { quoted } from '../printable.ts'
import { tenantNotes, tenantOptions, withTenantOf } from '../tenant.ts'

/** Shows one tenant on a local web page. */
export const inspect: Command = {
  summary:
    'Shows one tenant of a store on a local web page, and decides its approvals, settles its waits, cancels its runs and forks its threads there.',
  operands: ['store'],
  options: {
    ...tenantOptions,
    port: { value: 'number', help: 'the port on 127.0.0.1; default one that is free' },
  },
  notes: [
    storeNotes,
    tenantNotes,
    'The page listens on 127.0.0.1 only, and serves the browser that opens the printed link first. Stop it with Ctrl+C.',
    'With --json, it writes a line with the url when it is ready, and another when it has stopped.',
    '',
    'The browser that opens the link can read all data of the tenant, decide its approvals, settle its waits,',
    'cancel its runs and fork its threads.',
    'The ledger and the waits record the typed name.',
    '',
    'Exit codes: 0 served until stopped, 2 could not start.',
    '',
    'Example:',
    '  bailiwick inspect ./data --tenant acme',
  ].join('\n'),
  run: async (words, terminal) => {
    const port = portOf(words.options)
    return await withTenantOf(words.operands[0] ?? '', words, async ({ tenant, runtime, store }) => {
      const hasNothing = await isEmpty(runtime)
      const inspector = await start({ runtime, publicKey: store.publicKey }, port)
      // Registered before the line is printed: its reader may stop the server at once.
      const ended = interrupted()
      announce(inspector, tenant, hasNothing, words, terminal)
      await ended
      await inspector.close()
      return { exit: Exit.holds, lines: ['ended'], json: { ended: true } }
    })
  },
}

function portOf({ port }: Words['options']): number {
  if (typeof port !== 'string') return 0
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw new UsageError('--port is no number from 0 to 65535.')
  return Number(port)
}

async function start(subject: Parameters<typeof import('../../inspect/server.ts').startInspector>[0], port: number) {
  const { startInspector } = await import('../../inspect/server.ts')
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

function announce({ url }: Inspector, tenant: string, hasNothing: boolean, words: Words, terminal: Terminal): void {
  const notice = hasNothing ? `${emptyNotice}\n` : ''
  const lines = `${notice}Tenant ${quoted(tenant)} is shown here until you press Ctrl+C. The link is good once:\n  ${url}`
  terminal.print(`${words.json ? JSON.stringify({ url, ...(hasNothing && { empty: true }) }) : lines}\n`)
}

/** Resolves when the process gets a signal to end. */
async function interrupted(): Promise<void> {
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
}
