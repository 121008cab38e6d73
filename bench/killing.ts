import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { DurableContender } from './contenders/durable/task.ts'

/** A process that reaches nothing for so long is killed; leases of some contenders last 30 s, and are looked for every 15 s. */
const SILENCE_MS = 90_000
/** A run is stuck if so many processes in a row reach nothing. */
const SILENT_PROCESSES = 3

/** What became of one run. */
export interface Tally {
  /** What the contender said in the end. */
  readonly status: string
  readonly restarts: number
  /** Milliseconds from the start of each later process until the run went on. */
  readonly resumed: readonly number[]
  readonly asked: number
  /** Calls made again, and those of them whose key the outside world had not seen. */
  readonly twice: number
  readonly otherKey: number
  readonly lost: number
}

/** Where a run is, and how long it is. */
export interface Place {
  readonly contender: DurableContender
  /** A folder or a URL. */
  readonly place: string
  /** The file of the outside world, to which the tool appends. */
  readonly world: string
  readonly steps: number
}

/** How many kills are left. All runs of a contender share it. */
export interface Budget {
  left: number
}

interface Life {
  readonly status: string | undefined
  readonly isSilent: boolean
  readonly resumed: number | undefined
}

/** Returns the Node for a contender: this one if it is new enough, else the one beside the rivals; nothing if neither is here. */
export function nodeFor({ node = 0 }: Pick<DurableContender, 'node'>): string | undefined {
  if (Number(process.versions.node.split('.')[0]) >= node) return process.execPath
  const later = join(process.cwd(), 'bench', 'node_modules', 'node-22', 'bin', 'node')
  return existsSync(later) ? later : undefined
}

/** Starts a run and kills its process at random points, and starts another, until the run has ended or is stuck. */
export async function killedRun(place: Place, budget: Budget): Promise<Tally> {
  const asked = new Set<string>()
  const resumed: number[] = []
  let restarts = -1
  for (let silent = 0; silent < SILENT_PROCESSES; ) {
    const life = await live(place, asked, budget)
    restarts += 1
    if (restarts > 0 && life.resumed !== undefined) resumed.push(life.resumed)
    if (life.status !== undefined) return tally(place, life.status, restarts, resumed, asked.size)
    silent = life.isSilent ? silent + 1 : 0
  }
  return tally(place, 'reached nothing', restarts, resumed, asked.size)
}

/** Starts a process of the run's program. `before`: a command that starts it. */
export function startRun({ contender, place, world, steps }: Place, before: readonly string[] = []) {
  const file = fileURLToPath(new URL('./killed.program.js', import.meta.url))
  const command = [...before, nodeFor(contender) ?? process.execPath, file, contender.name, place, world, `${steps}`]
  return spawn(command[0] as string, command.slice(1), { stdio: ['ignore', 'pipe', 'ignore'] })
}

/** One process: it is killed a moment after it has reached a random number of points, if kills are left. */
async function live(place: Place, asked: Set<string>, budget: Budget): Promise<Life> {
  const start = performance.now()
  const child = startRun(place)
  const fatal = 1 + Math.floor(Math.random() * 2 * place.steps)
  let points = 0
  let status: string | undefined
  let isSilent = false
  let resumed: number | undefined
  const silence = setTimeout(() => {
    isSilent = true
    child.kill('SIGKILL')
  }, SILENCE_MS)
  const kill = () => {
    if (budget.left <= 0 || child.exitCode !== null || status !== undefined) return
    budget.left -= 1
    child.kill('SIGKILL')
  }
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('@')) continue
    const [point, ...rest] = line.slice(1).split(' ')
    if (point === 'asked') asked.add(rest.join(' '))
    if (point === 'ended') status = rest.join(' ')
    points += 1
    // After the first point the run is about to go on; between two others pass a few milliseconds.
    if (points === fatal) setTimeout(kill, Math.random() * (points === 1 ? 50 : 6))
    if (points > 1) resumed ??= performance.now() - start
    if (points > 1) silence.refresh()
  }
  clearTimeout(silence)
  if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.once('exit', resolve))
  return { status, isSilent, resumed }
}

function tally(place: Place, status: string, restarts: number, resumed: readonly number[], asked: number): Tally {
  const lines = existsSync(place.world) ? readFileSync(place.world, 'utf8').trim().split('\n') : []
  const steps = new Set(lines.map((line) => line.split(' ')[0]))
  return {
    status,
    restarts,
    resumed,
    asked,
    twice: lines.length - steps.size,
    otherKey: new Set(lines).size - steps.size,
    lost: status === 'completed' ? place.steps - steps.size : 0,
  }
}
