/** Calls of one tenant in flight at once: in-flight bytes are limited. */
const SIDE_BY_SIDE = 8

/** Returns what `make` returns for each item, in the order of the list, a few at a time. */
export async function inTurn<T, R>(list: readonly T[], make: (item: T) => Promise<R>): Promise<R[]> {
  const made: R[] = []
  const waiting = list.entries()
  const work = async () => {
    // One iterator for all: each takes the next.
    for (const [index, item] of waiting) made[index] = await make(item)
  }
  await Promise.all(Array.from({ length: Math.min(SIDE_BY_SIDE, list.length) }, work))
  return made
}
