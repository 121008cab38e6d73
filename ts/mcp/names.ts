import { createHash } from 'node:crypto'

const toolName = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/
/** What ends a name that was made here. */
const mark = /_[0-9a-f]{12}$/
/** So much of a server's name is in a name that was made here: 64 without the mark. */
const kept = 51

/**
 * The name of a tool of ours for any name that a server gives. A name that is a tool name stays. Any other (with a `.`,
 * a `/`, a digit at its beginning, over 64 characters, empty) gets `_` for each character that a tool name may not have, `t_`
 * before it if it does not begin with a letter, is cut to 51 characters, and ends with `_` and 12 hexadecimal digits of the
 * SHA-256 of the whole name. So does a tool name that ends like that already: no two names give the same one. It depends on
 * nothing but the name.
 */
export function toolNameFor(name: string): string {
  if (toolName.test(name) && !mark.test(name)) return name
  const plain = name.replaceAll(/[^A-Za-z0-9_-]/g, '_')
  const begun = /^[A-Za-z]/.test(plain) ? plain : `t_${plain}`
  // UTF-16, in which even texts that are not well-formed differ.
  const digest = createHash('sha256').update(name, 'utf16le').digest('hex')
  return `${begun.slice(0, kept)}_${digest.slice(0, 12)}`
}
