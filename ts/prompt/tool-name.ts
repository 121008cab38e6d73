const accepted = /^[a-zA-Z0-9_-]{1,64}$/

/** So much of an odd name stays readable before the hash. */
const readable = 40

/**
 * The name of a called tool as every provider takes it, `^[a-zA-Z0-9_-]{1,64}$`. A model may write anything there, and
 * providers refuse a conversation with it. What fits stays as it is, but for names such as `__proto__` and `constructor`, which
 * packages look up in objects and find; of another name the first 40 characters stay, with `_`
 * for each that does not fit, and `_x` and 16 hex digits of its SHA-256 follow: two names never become one.
 */
export function sendableToolName(name: string): string {
  if (accepted.test(name) && !(name in Object.prototype)) return name
  // Asked for here: importing the package loads no cryptography. UTF-16, in which even texts that are not well-formed differ.
  const { createHash } = process.getBuiltinModule('node:crypto')
  const hash = createHash('sha256').update(name, 'utf16le').digest('hex').slice(0, 16)
  const start = name.slice(0, readable).replace(/[^a-zA-Z0-9_-]/g, '_')
  return `${start === '' ? 'unnamed' : start}_x${hash}`
}
