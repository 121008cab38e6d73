// Runs a contender's agent for many steps and prints what a step costs early and late. Parameters: the contender, where it
// keeps the run, where it keeps a short one that comes before, steps, the most seconds, and the steps to look at.
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { longRunning } from './contenders/durable/all.ts'
import { median } from './measure.ts'

/** The output of the process. */
export interface Flat {
  /** Microseconds of a step around each step that was looked at and reached: the median. */
  readonly costs: readonly (readonly [step: number, microseconds: number])[]
  readonly reached: number
  /** What the contender said, or that the time was over. */
  readonly status: string
}

const [name = '', place = '', warmPlace = '', ...numbers] = process.argv.slice(2)
const [count = 0, seconds = 0, ...looks] = numbers.map(Number)
const WARM_STEPS = 100
const contender = longRunning.find((contender) => contender.name === name)

/** Runs so many steps; `at` gets the time of each. */
async function run(place: string, steps: number, at: number[]): Promise<string> {
  const end = performance.now() + seconds * 1000
  let asked = 0
  const next = async () => {
    asked += 1
    return asked > steps ? undefined : asked - 1
  }
  const act = async () => {
    const now = performance.now()
    at.push(now)
    // Here, and not by a timer: some contenders go from step to step without a turn of the event loop.
    if (now > end) finish(`stopped after ${seconds} s`, at)
    return 'ok'
  }
  return (await contender?.run({ place, steps, opened: () => {}, next, act, hasHappened: () => false })) ?? 'unknown'
}

function finish(status: string, at: readonly number[]): never {
  const found: Flat = { costs: costs(at), reached: at.length, status }
  console.log(JSON.stringify(found))
  process.exit()
}

function costs(at: readonly number[]): Flat['costs'] {
  const took = at.map((time, index) => (time - (at[index - 1] ?? Number.NaN)) * 1000)
  return looks.flatMap((look) => {
    const half = Math.max(5, Math.floor(look / 10))
    const last = Math.min(look + half, count)
    return look > count || last > at.length ? [] : [[look, median(took.slice(last - 2 * half, last))] as const]
  })
}

process.removeAllListeners('warning')
const at: number[] = []
try {
  await run(warmPlace, Math.min(WARM_STEPS, count), [])
  finish(await run(place, count, at), at)
} catch (error) {
  finish(`failed: ${(error as Error).message.split('\n')[0]}`, at)
}
