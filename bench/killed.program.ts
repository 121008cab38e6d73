// Works on a run of a contender, as a service that has just been started does; the parent kills it and starts it again.
// Parameters: the contender, where it keeps the run, the file of the outside world, steps. A line of standard output that
// begins with `@` tells the parent what was reached.
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import process from 'node:process'
import { setTimeout as wait } from 'node:timers/promises'
import { killable } from './contenders/durable/all.ts'

/** Milliseconds that a model takes, and a tool before and after its effect. */
const LATENCY_MS = 2

const [name = '', place = '', world = '', count = '0'] = process.argv.slice(2)
const steps = Number(count)
const reached = (what: string) => void writeSync(1, `@${what}\n`)

async function act(step: number, key: string): Promise<string> {
  await wait(LATENCY_MS)
  const file = openSync(world, 'a')
  writeSync(file, `${step} ${key}\n`)
  fsyncSync(file)
  closeSync(file)
  reached('effect')
  await wait(LATENCY_MS)
  reached('answer')
  return 'ok'
}

function hasHappened(step: number, question: string): boolean {
  reached(`asked ${question}`)
  return (
    existsSync(world) &&
    readFileSync(world, 'utf8')
      .split('\n')
      .some((line) => line.startsWith(`${step} `))
  )
}

async function next(done: () => number): Promise<number | undefined> {
  reached('model')
  await wait(LATENCY_MS)
  return done() < steps ? done() : undefined
}

let status: string
try {
  const contender = killable.find((contender) => contender.name === name)
  status =
    (await contender?.run({ place, steps, opened: () => reached('opened'), next, act, hasHappened })) ?? 'unknown'
} catch (error) {
  status = `failed: ${(error as Error).message.split('\n')[0]}`
}
reached(`ended ${status}`)
process.exit()
