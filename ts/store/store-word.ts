import { nearest } from '../common/nearest.ts'
import { InvalidInputError } from '../errors/index.ts'

/**
 * Meaning of a word that names a store. A `bare` word may be an existing directory, and never creates one; `refused`
 * names nothing that we have, and `problem` says what to write instead, without the word: it may hold a password.
 */
export type StoreWord =
  | { readonly kind: 'directory'; readonly path: string; readonly isExplicit: boolean }
  | { readonly kind: 'memory'; readonly url: string }
  | { readonly kind: 'database'; readonly url: string }
  | { readonly kind: 'bare'; readonly path: string }
  | { readonly kind: 'refused'; readonly problem: string }

/** Help about the names of stores. */
export const storeForms =
  'A store is a path (./data, ../data, /data), sled:<path>, memory:, memory:<name> or postgres://role:password@host/database.'

/** Beginnings that only paths have. */
const path = /^(?:\.{1,2}[\\/]|\/|[a-z]:[\\/](?![\\/]))/i
const scheme = /^([a-z][a-z0-9+.-]+):/i
/** Characters that often surround a command or a URL by mistake. */
const wrapping = /^[\s"'`<(]+|[\s"'`>)]+$/g
/** The schemes of stores and servers that people have beside ours; they may be said again. */
const foreign = [
  'file',
  'sqlite',
  'sqlite3',
  'redis',
  'rediss',
  'mysql',
  'mariadb',
  'mongodb',
  'mssql',
  'sqlserver',
  'http',
  'https',
]

/** The words of connection strings that stand before a `=`: of libpq, of ADO.NET and of what people call a password. */
const settings = [
  'host|hostaddr|port|user|username|user name|user id|uid|dbname|database|initial catalog|service|servicefile|passfile',
  'server|data source|addr|address|network address|sslmode|sslcert|sslkey|sslrootcert|sslcrl|options|application_name',
  'client_encoding|connect_timeout|channel_binding|target_session_attrs|gssencmode|krbsrvname|requirepeer|url|dsn',
  'pass|pw|pwd|token|key|secret',
].join('|')
const setting = new RegExp(`(?:^|[\\s'"\`<(?&;,])(?:${settings})\\s*=`, 'i')
const password = /:\/\/|postgres(?:ql)?\s*:|[^\s\\/]:[^\s\\/]+@|(?:pass(?:word|wd|phrase|code)|pwd|secret)\s*=/i

/**
 * Whether a text may hold the password of a database, written rightly or not: a URL of anything, `name:password@host`, or
 * the `host=… password=…` of other clients. Paths look otherwise.
 */
export function maySayPassword(text: string): boolean {
  const rest = text.replace(/^(?:sled|memory|[a-z](?=:[\\/](?![\\/]))):/i, '')
  return password.test(rest) || setting.test(rest)
}

/** Whether a word that is to name a file or a directory begins as a URL does, whatever is around it. A drive is none. */
export function looksLikeUrl(word: string): boolean {
  return scheme.test(word.replace(wrapping, ''))
}

/** Reads a word that is to name a store. It looks at nothing but the word. */
export function readStoreWord(word: string): StoreWord {
  if (/^postgres(?:ql)?:\/\//.test(word)) return { kind: 'database', url: word }
  if (maySayPassword(word)) return refused(word)
  if (word.startsWith('memory:')) return { kind: 'memory', url: word }
  if (word.startsWith('sled:')) {
    const said = word.slice('sled:'.length)
    return looksLikeUrl(said) ? refused(said) : directory(said, true)
  }
  if (path.test(word)) return directory(word, false)
  if (word === '') return { kind: 'refused', problem: `An empty word is no store. ${storeForms}` }
  // Other words that nobody would use as a name: they may be keys, or parts of URLs.
  return /[\p{C}\s"'`<>()=;?&:,|$%~]/u.test(word) ? refused(word) : { kind: 'bare', path: word }
}

/**
 * The URL of the store that a word names. A path alone is that of a directory.
 *
 * @throws InvalidInputError for a word that names none, with what to write instead
 */
export function storeUrlOf(word: string): string {
  const read = readStoreWord(word)
  switch (read.kind) {
    case 'directory':
      return `sled:${read.path}`
    case 'memory':
    case 'database':
      return read.url
    case 'bare':
      throw new InvalidInputError(
        `A word alone is no store. ${meantBy(word) ?? 'For a directory write ./ before its name.'} ${storeForms}`,
      )
    case 'refused':
      throw new InvalidInputError(read.problem)
  }
}

function refused(word: string): StoreWord {
  const problem = `This names no store. ${hintFor(word)} It is not repeated, for it may hold a password.`
  return { kind: 'refused', problem }
}

function directory(path: string, isExplicit: boolean): StoreWord {
  if (/^\/\//.test(path)) {
    return { kind: 'refused', problem: 'After sled: comes a path, not //: write sled:./data or sled:/data.' }
  }
  if (path.startsWith('~')) {
    return { kind: 'refused', problem: 'Only a shell knows ~. Write the whole path, such as sled:/home/me/data.' }
  }
  if (path !== '') return { kind: 'directory', path, isExplicit }
  return { kind: 'refused', problem: 'sled: is no store: it needs a path, such as sled:./data.' }
}

/** Returns a hint for a scheme written without its colon. */
export function meantBy(word: string): string | undefined {
  const meant = nearest(word, ['memory', 'sled', 'postgres'])
  return meant && `Did you mean ${{ memory: 'memory:', sled: 'sled:./data', postgres: 'postgres://…' }[meant]}?`
}

/** Returns what to write instead of a word that may hold a password. It repeats nothing of the word but a known scheme. */
function hintFor(word: string): string {
  const inner = word.replace(wrapping, '')
  if (inner !== word && readStoreWord(inner).kind !== 'refused')
    return 'Leave out the quotes, brackets and blanks around it.'
  const [, name = ''] = scheme.exec(inner) ?? []
  const lower = name.toLowerCase()
  if (
    /postgres|^pgx?\b/.test(lower) ||
    nearest(lower, ['postgres', 'postgresql']) !== undefined ||
    /postgres/i.test(inner)
  ) {
    return 'It is no URL of a PostgreSQL database: that begins with postgres:// alone, in small letters, with nothing before it and no driver in it.'
  }
  if (lower === 'file') return 'For a directory write its path alone: ./data, /data or sled:./data.'
  if (lower === 'env') return 'env:NAME is for commands and names a variable; a program passes process.env.NAME.'
  if (foreign.includes(lower)) return `No store is kept in what ${lower}: names. ${storeForms}`
  if (setting.test(inner) || password.test(inner)) {
    return 'Settings such as host=… password=… are written as one URL: postgres://role:password@host:port/database.'
  }
  const meant = nearest(lower, ['memory', 'sled'])
  if (meant !== undefined && meant !== name)
    return `Did you mean ${meant}: in small letters, with a path or a name after it? ${storeForms}`
  return storeForms
}
