import type { Rivals } from './contenders/rivals.ts'

/** A figure of one contender. */
export interface Figure {
  readonly contender: string
  /** What is measured, with its unit: 'median µs', 'stored bytes'. */
  readonly what: string
  readonly value: number
}

/** How far a row is from what it should reach. */
export interface Ratio {
  /** What is divided by what, or which figure is held against a bound. */
  readonly of: string
  readonly value: number
  readonly target: { readonly atMost: number } | { readonly atLeast: number }
}

/** What a row found. */
export interface Finding {
  readonly row: string
  /** Sizes and counts, so that the row can be repeated. */
  readonly load: string
  readonly figures: readonly Figure[]
  readonly ratios: readonly Ratio[]
  /** What the benchmark's process held after the row, in MB. */
  readonly residentMb?: number
}

/** What every row is given. */
export interface Conditions {
  /** An empty folder for this run. */
  readonly folder: string
  /** How many records the hot rows keep. */
  readonly keys: number
  readonly rounds: number
  /** How many records the row about opening keeps; 0 leaves it out. */
  readonly openRecords: number
  /** How many records the row about the approval ledger keeps. */
  readonly ledgerRecords: number
  readonly rivals: Rivals
}

/** Whether a ratio is where it should be. */
export function isMet({ value, target }: Ratio): boolean {
  return 'atMost' in target ? value <= target.atMost : value >= target.atLeast
}
