// Runs of three trivial steps, one after the other for a time, then many in flight for the same time. Parameters: the contender, where it
// keeps them, milliseconds, and how many are in flight. Prints what they took.
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { shortContenders } from './contenders/short/all.ts'

/** The output of the process. */
export interface ShortRuns {
  /** Milliseconds of each run, one after the other. */
  readonly alone: readonly number[]
  /** Runs a second, many in flight. */
  readonly perSecond: number
}

const [name = '', place = '', ...numbers] = process.argv.slice(2)
const [milliseconds = 0, width = 0] = numbers.map(Number)
process.removeAllListeners('warning')
const contender = shortContenders.find((contender) => contender.name === name)
if (contender === undefined) throw new Error(`There is no contender ${name}.`)
const { run, close } = await contender.open(place)
const took: number[] = []
const alone = async (milliseconds: number) => {
  took.length = 0
  const end = performance.now() + milliseconds
  for (let start = performance.now(); start < end || took.length === 0; ) {
    await run()
    const now = performance.now()
    took.push(now - start)
    start = now
  }
}
/** Returns how many runs a second complete. */
const together = async (milliseconds: number) => {
  const start = performance.now()
  let count = 0
  const lane = async () => {
    while (performance.now() < start + milliseconds) {
      await run()
      count += 1
    }
  }
  await Promise.all(Array.from({ length: width }, lane))
  return (count * 1000) / (performance.now() - start)
}
await alone(milliseconds / 5)
await alone(milliseconds)
await together(milliseconds / 5)
const found: ShortRuns = { alone: took, perSecond: await together(milliseconds) }
await close()
console.log(JSON.stringify(found))
process.exit()
