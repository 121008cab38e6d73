import type { Figure, Ratio } from './finding.ts'
import type { Timing } from './measure.ts'

/** The timings as figures. */
export function figuresOf(timings: ReadonlyMap<string, Timing>): Figure[] {
  return [...timings].flatMap(([contender, { min, median }]) => [
    { contender, what: 'median µs', value: median },
    { contender, what: 'minimum µs', value: min },
  ])
}

/** Returns the quotient of two contenders' medians; nothing if one of them is missing. */
export function ratioOf(
  timings: ReadonlyMap<string, Timing>,
  over: string,
  under: string,
  target: Ratio['target'],
): Ratio[] {
  const [above, below] = [timings.get(over), timings.get(under)]
  if (above === undefined || below === undefined) return []
  return [{ of: `${over} ÷ ${under}`, value: above.median / below.median, target }]
}
