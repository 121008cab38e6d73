import type { Rivals } from './contenders/rivals.ts'

/** A figure of one contender. */
export interface Figure {
  readonly contender: string
  /** The quantity with its unit: 'median µs', 'stored bytes'. */
  readonly what: string
  readonly value: number
}

/** A ratio and its target. */
export interface Ratio {
  /** The quotient, or the figure that is compared with a bound. */
  readonly of: string
  readonly value: number
  readonly target: { readonly atMost: number } | { readonly atLeast: number }
}

/** The result of a row. */
export interface Finding {
  readonly row: string
  /** Sizes and counts, so that the row can be repeated. */
  readonly load: string
  readonly figures: readonly Figure[]
  readonly ratios: readonly Ratio[]
  /** Resident memory of the benchmark's process after the row, in MB. */
  readonly residentMb?: number
}

/** The parameters of every row. */
export interface Conditions {
  /** An empty folder for this run. */
  readonly folder: string
  /** Number of records in the hot rows. */
  readonly keys: number
  readonly rounds: number
  /** Number of records in the row about opening; 0 skips it. */
  readonly openRecords: number
  /** Number of records in the row about the approval ledger. */
  readonly ledgerRecords: number
  /** Kills in the row about kills, for each contender. */
  readonly kills: number
  /** Seconds that a run of the row about long runs may take. */
  readonly flatSeconds: number
  /** Number of runs in the row about runs that wait. */
  readonly waits: number
  /** Number of values in the row about many small values. */
  readonly puts: number
  readonly rivals: Rivals
}

/** Returns whether a ratio reaches its target. */
export function isMet({ value, target }: Ratio): boolean {
  return 'atMost' in target ? value <= target.atMost : value >= target.atLeast
}
