/**
 * Gives each call of a conversation an id of its own: the first call of an id keeps it, later ones get `_2`, `_3`, … behind
 * it. A new id depends only on the messages before it.
 */
export class CallIds {
  readonly #used = new Set<string>()
  /** The number to try next for an id that is in use: a conversation may have the same one in every turn. */
  readonly #next = new Map<string, number>()

  /** An id that no earlier call has and no later call gets. */
  unique(id: string): string {
    const base = id === '' ? 'call' : id
    let candidate = base
    let number = this.#next.get(base) ?? 2
    while (this.#used.has(candidate)) {
      candidate = `${base}_${number}`
      number += 1
    }
    if (candidate !== base) this.#next.set(base, number)
    this.#used.add(candidate)
    return candidate
  }
}
