/** Most levels of a value. It bounds the recursion. */
const deepest = 100
/** A value with more elements is refused: one that refers to the same parts again and again may have no end. */
const mostElements = 100_000

/**
 * The RFC 8785 form of a JSON value: keys sorted by UTF-16 units, everything else as `JSON.stringify` prints it. Every
 * property is read once. Members that are `undefined` are left out.
 *
 * @throws TypeError for what is not plain JSON, lone surrogates among it: as UTF-8 they would pass for U+FFFD
 */
export function canonical(value: unknown): string {
  let remaining = mostElements
  return write(value, 0)

  function write(part: unknown, depth: number): string {
    remaining -= 1
    if (remaining < 0 || depth > deepest) throw new TypeError('The value is too large.')
    if (part === null || typeof part === 'boolean') return String(part)
    if (typeof part === 'string') return text(part)
    if (typeof part === 'number' && Number.isFinite(part)) return JSON.stringify(part)
    if (Array.isArray(part)) return `[${Array.from(part, (element) => write(element, depth + 1)).join(',')}]`
    if (isPlainObject(part)) return `{${members(part, depth).join(',')}}`
    throw new TypeError('The value is not JSON.')
  }

  function members(part: Readonly<Record<string, unknown>>, depth: number): string[] {
    // The default order of sort is that of UTF-16 units.
    return Object.keys(part)
      .sort()
      .flatMap((key) => {
        const member = part[key]
        return member === undefined ? [] : [`${text(key)}:${write(member, depth + 1)}`]
      })
  }
}

/** A copy of a JSON value that shares nothing with it: what was checked cannot change any more. Throws as `canonical`. */
export function snapshot(value: unknown): unknown {
  return JSON.parse(canonical(value))
}

/** Whether `value` is an object that is no array. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function text(value: string): string {
  if (!value.isWellFormed()) throw new TypeError('The text has a lone surrogate.')
  return JSON.stringify(value)
}

/** An object without a class, of whichever realm. */
function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (!isObject(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
