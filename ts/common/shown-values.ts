import { visibleJson } from './visible.ts'

const LONGEST = 40

/**
 * Describes a wrong argument for a message: numbers as they are, of anything else only the kind, because it may be a secret. Never
 * throws, whatever it is.
 */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return String(value)
  if (typeof value === 'bigint') return 'a BigInt'
  if (typeof value === 'object') return isArray(value) ? 'an array' : 'an object'
  return `a ${typeof value}`
}

function isArray(value: unknown): boolean {
  try {
    return Array.isArray(value)
  } catch {
    // A proxy that was revoked.
    return false
  }
}

/** A word that is none of those that are known, for a message: cut, and with what is not to be seen escaped. */
export function wordOf(value: unknown): string {
  if (typeof value !== 'string') return kindOf(value)
  const cut = Array.from(value.slice(0, 2 * LONGEST))
    .slice(0, LONGEST)
    .join('')
  return `${visibleJson(cut)}${cut === value ? '' : '…'}`
}
