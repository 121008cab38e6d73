import { performance } from 'node:perf_hooks'

/** A contender of a row; all do the same work. */
export interface Contender {
  readonly name: string
  /** Number of items per round. */
  readonly items: number
  /** Does a round's work on the result of `prepare` and returns a number that depends on everything it read. */
  readonly round: (round: number) => Promise<number> | number
  /** Prepares a round, unmeasured. */
  readonly prepare?: (round: number) => Promise<void> | void
}

/** Microseconds an item, over the rounds. */
export interface Timing {
  readonly min: number
  readonly median: number
}

/** A sum over all results, so that no work is optimised away. */
let consumed = 0

/**
 * Runs all contenders in turn, A B C A B C …, so that other load on the machine affects all of them. One round comes before
 * those that count.
 */
export async function interleaved(contenders: readonly Contender[], rounds: number): Promise<Map<string, Timing>> {
  const times = new Map<string, number[]>(contenders.map(({ name }) => [name, []]))
  for (let round = -1; round < rounds; round += 1) {
    for (const { name, items, prepare, round: work } of contenders) {
      await prepare?.(round)
      globalThis.gc?.()
      const start = performance.now()
      consumed += await work(round)
      const elapsed = performance.now() - start
      if (round >= 0) times.get(name)?.push((elapsed * 1000) / items)
    }
  }
  if (Number.isNaN(consumed)) throw new Error('A contender returned no number.')
  return new Map([...times].map(([name, values]) => [name, { min: Math.min(...values), median: median(values) }]))
}

/** Returns the median. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2
}
