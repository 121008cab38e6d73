import { nearest } from '../../common/nearest.ts'

/** Most names that a message lists, and most names that are compared for a suggestion. */
const MOST_SHOWN = 10
const MOST_COMPARED = 50

const ordinary = /^[A-Za-z0-9_-]{1,64}$/

/** The names in one list of a spec. */
export class KnownNames {
  readonly #kind: string
  readonly #all = new Set<string>()
  /** Those that can be said. Others are refused where they stand, and may be anything. */
  readonly #ordinary: string[] = []

  /** @param kind what has these names, for messages */
  constructor(kind: string) {
    this.#kind = kind
  }

  /** Adds a name. `false`: it exists already. */
  add(name: string): boolean {
    if (this.#all.has(name)) return false
    this.#all.add(name)
    if (ordinary.test(name)) this.#ordinary.push(name)
    return true
  }

  has(name: string): boolean {
    return this.#all.has(name)
  }

  /** Returns the message for a used name that is not among these. The validator in Rust says the same. */
  without(name: string): string {
    const isSaid = ordinary.test(name)
    const names = this.#ordinary
    const meant = isSaid ? nearest(name, names.slice(0, MOST_COMPARED)) : undefined
    const question = meant === undefined ? '' : ` Did you mean "${meant}"?`
    const shown = names.slice(0, MOST_SHOWN).map((one) => `"${one}"`)
    const rest = names.length > MOST_SHOWN ? ` and ${names.length - MOST_SHOWN} more` : ''
    const missing = `No ${this.#kind} ${isSaid ? `"${name}"` : 'of this name'} is registered`
    if (names.length === 0) return `${missing}: there are none.`
    return `${missing}.${question} Registered are ${shown.join(', ')}${rest}.`
  }
}
