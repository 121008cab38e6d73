/** The limits of the core's parser (`crates/model/src/json/parse.rs`), whose verdict this one shares. */
const deepest = 100
const mostElements = 4_000_000

/**
 * The value of a JSON text that every reader reads alike: no duplicate key, however it is written, no key `__proto__`, no
 * lone surrogate, no number beyond a double, nothing nested more than 100 deep. `JSON.parse` takes all of these, and the
 * last of two equal keys; another reader may take the first.
 *
 * @throws SyntaxError whose message is what to say of it: `is not JSON`, `has a duplicate key`
 */
export function parseStrictly(text: string): unknown {
  const value = parsed(text)
  const members = new Count().of(value)
  // JSON.parse keeps one of equal keys. So there are fewer members than were written exactly if some were equal.
  if (members !== membersWritten(text)) throw new SyntaxError('has a duplicate key')
  return value
}

function parsed(text: string): unknown {
  if (text.startsWith('\ufeff')) throw new SyntaxError('starts with a byte order mark')
  try {
    return JSON.parse(text)
  } catch {
    throw new SyntaxError('is not JSON')
  }
}

/** Counts members, and refuses what the core would. */
class Count {
  #members = 0
  #elements = 0

  of(value: unknown): number {
    this.#walk(value, 0)
    return this.#members
  }

  #walk(value: unknown, depth: number): void {
    if (typeof value === 'string') this.#text(value)
    if (typeof value === 'number' && !Number.isFinite(value)) throw new SyntaxError('has a number out of range')
    if (typeof value !== 'object' || value === null) return
    if (depth === deepest) throw new SyntaxError(`is nested more than ${deepest} deep`)
    if (Array.isArray(value)) {
      for (const element of value) this.#element(element, depth)
      return
    }
    for (const [key, member] of Object.entries(value)) {
      this.#members += 1
      this.#text(key)
      if (key === '__proto__') throw new SyntaxError('has a key __proto__')
      this.#element(member, depth)
    }
  }

  #element(value: unknown, depth: number): void {
    this.#elements += 1
    if (this.#elements > mostElements) throw new SyntaxError('has too many elements')
    this.#walk(value, depth + 1)
  }

  #text(text: string): void {
    if (!text.isWellFormed()) throw new SyntaxError('has a lone surrogate')
  }
}

/** Returns the number of members in a JSON text, counting equal keys each: a colon follows keys only. */
function membersWritten(text: string): number {
  let members = 0
  let at = text.indexOf('"')
  while (at >= 0) {
    at = endOfString(text, at + 1)
    while (/\s/.test(text.charAt(at))) at += 1
    if (text.charAt(at) === ':') members += 1
    at = text.indexOf('"', at)
  }
  return members
}

/** Behind the quote that ends the string whose inside begins here. */
function endOfString(text: string, from: number): number {
  let at = from
  while (at < text.length && text.charAt(at) !== '"') at += text.charAt(at) === '\\' ? 2 : 1
  return at + 1
}
