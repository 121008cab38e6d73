import { type Command, Exit } from '../command.ts'
import { wordOf } from '../place.ts'

/** Makes a PostgreSQL database ready for a store. */
export const setup: Command = {
  summary: 'Prepares a PostgreSQL database for a store: its schema, and a role for the application.',
  operands: ['owner url'],
  options: {},
  notes: [
    'The URL is that of a role that owns the database and may create roles, or of a superuser:',
    '  bailiwick setup env:OWNER_URL',
    'env:NAME reads it from the environment variable NAME, such as postgres://owner:password@db.example/app: so no password is',
    'in the list of processes. It prints the URL for the application, with a password that is shown only once. Running it again',
    'brings an older schema up to date, corrects policies and rights, and keeps all data; then the password is not shown',
    'again, and does not change.',
    '',
    'Exit codes: 0 the database is ready, 2 it is not, and nothing was changed.',
  ].join('\n'),
  run: async (words) => {
    // Loaded here, so that what needs no store needs no addon.
    const { setupStore } = await import('../../store/store.ts')
    const { url } = await setupStore(wordOf(words.operands[0] ?? ''))
    // Several hosts are no URL to `URL`.
    const isNew = /^[a-z]+:\/\/[^:@/]*:/.test(url)
    const lines = [
      'ready: the database can be used as a store',
      `  url    ${url}`,
      isNew
        ? '  note   keep it: the password is not shown again'
        : '  note   the role existed already: add the password that was shown then, or set another: ALTER ROLE … PASSWORD',
      '  next   keep a root key apart from the database, in BAILIWICK_ROOT_KEY of every process: openssl rand -base64 32',
    ]
    return { exit: Exit.holds, lines, json: { url, passwordIncluded: isNew } }
  },
}
