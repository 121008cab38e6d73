import { visible } from '../visible.ts'

/**
 * Text from outside for a terminal: line ends, control characters and whatever else is not seen are shown by their number,
 * so that a file or a name cannot write over what we say, or hide what it says.
 */
export function printable(text: string): string {
  return visible(text)
}

/** The same between quotes, which the text cannot end. */
export function quoted(text: string): string {
  return `"${printable(text.replace(/["\\]/g, '\\$&'))}"`
}

/**
 * Whether a word may hold the password of a database, written rightly or not: a URL of anything, `name:password@host`, or
 * the `host=… password=…` of other clients. Paths look otherwise.
 */
export function maySayPassword(word: string): boolean {
  const rest = word.replace(/^(sled|memory|[a-z](?=:[\\/])):/i, '')
  return (
    /:\/\/|postgres(ql)?\s*:|[^\s\\/]:[^\s\\/]+@|password\s*=/i.test(rest) ||
    /(^|[\s'"<?&])(host|hostaddr|port|user|dbname|service|passfile)\s*=/i.test(rest)
  )
}

/** Whether a word begins as the URL of a database has to. */
export function isDatabaseUrl(word: string): boolean {
  return /^postgres(ql)?:\/\//.test(word)
}

/** A word of the command line, or as much of it as is no secret. */
export function withoutPassword(word: string): string {
  if (!maySayPassword(word)) return word
  return isDatabaseUrl(word) ? word.replace(/:\/\/.*/s, '://…') : '…'
}
