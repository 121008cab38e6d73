import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import type { Figure } from './finding.ts'

/** The target for the p99, in milliseconds. */
export const LAG_LIMIT_MS = 5

/** Milliseconds. */
export interface Quantiles {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** The lag of an event loop. */
export interface Lag {
  /** The delay of a 1 ms timer by Node's own histogram, without its interval. */
  readonly histogram: Quantiles
  /** The delay of our own 1 ms timer, and of the immediate that it sets. */
  readonly probe: Quantiles
}

/** Measures during some work. If the event loop has no turn before the end, the one late turn counts. */
export async function lagDuring(work: () => Promise<unknown>): Promise<Lag> {
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  const late: number[] = []
  let running = true
  const probe = async () => {
    while (running) {
      const start = performance.now()
      await new Promise((resolve) => setTimeout(() => setImmediate(resolve), 1))
      late.push(Math.max(0, performance.now() - start - 1))
    }
  }
  histogram.enable()
  const probed = probe()
  // One turn, so that the histogram's own timer is set before the work may keep the loop from turning.
  await new Promise((resolve) => setTimeout(resolve, 5))
  await work()
  running = false
  await probed
  histogram.disable()
  const sorted = late.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  const beyondInterval = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - 1)
  return {
    histogram: {
      p50: beyondInterval(histogram.percentile(50)),
      p99: beyondInterval(histogram.percentile(99)),
      max: beyondInterval(histogram.max),
    },
    probe: { p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? 0 },
  }
}

/** Converts them to figures. */
export function lagFigures(contender: string, { histogram, probe }: Lag): Figure[] {
  return [
    { contender, what: 'timer p50 ms', value: histogram.p50 },
    { contender, what: 'timer p99 ms', value: histogram.p99 },
    { contender, what: 'timer max ms', value: histogram.max },
    { contender, what: 'probe p50 ms', value: probe.p50 },
    { contender, what: 'probe p99 ms', value: probe.p99 },
    { contender, what: 'probe max ms', value: probe.max },
  ]
}
