/** A name with these endings was made here: it is hashed again, so that no two names become the same. */
const madeName = /_[0-9a-f]{12}$/
const definable = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/
const sendable = /^[a-zA-Z0-9_-]{1,64}$/

/**
 * Returns a name that `defineTool` takes, for any name that a server gives; a name that it takes stays. Any other (with a `.`,
 * a `/`, a digit at its beginning, over 64 characters, empty) gets `_` for each character that a tool name may not have, `t_`
 * before it if it does not begin with a letter, is cut to 51 characters, and ends with `_` and 12 hexadecimal digits of the
 * SHA-256 of the whole name. So does a tool name that ends like that already. It depends on nothing but the name.
 */
export function definableToolName(name: string): string {
  if (definable.test(name) && !madeName.test(name)) return name
  const plain = withoutOdd(name)
  return `${(/^[A-Za-z]/.test(plain) ? plain : `t_${plain}`).slice(0, 51)}_${digest(name, 12)}`
}

/**
 * Returns the name of a called tool as every provider takes it, `^[a-zA-Z0-9_-]{1,64}$`. A model may write anything there, and
 * providers refuse a conversation with it. What fits stays, but for names such as `__proto__` and `constructor`, which packages
 * look up in objects and find; of another name the first 40 characters stay, with `_` for each that does not fit, and `_x` and
 * 16 hex digits of its SHA-256 follow: two names never become one.
 */
export function sendableToolName(name: string): string {
  if (sendable.test(name) && !(name in Object.prototype)) return name
  return `${withoutOdd(name.slice(0, 40)) || 'unnamed'}_x${digest(name, 16)}`
}

function withoutOdd(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_-]/g, '_')
}

/** The first digits of the hash of a name, in UTF-16, in which even texts that are not well-formed differ. */
function digest(name: string, digits: number): string {
  // Loaded here: importing the package loads no cryptography.
  const { createHash } = process.getBuiltinModule('node:crypto')
  return createHash('sha256').update(name, 'utf16le').digest('hex').slice(0, digits)
}
