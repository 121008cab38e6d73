import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { openStore, type Runtime } from 'bailiwick'
import { type AgentContender, agentRivals } from '../contenders/agents.ts'
import { ownAgent } from '../contenders/own-agent.ts'
import { storedBytes } from '../disk.ts'
import type { Conditions, Figure, Finding, Ratio } from '../finding.ts'
import { type Contender, interleaved } from '../measure.ts'
import { ratioOf } from '../ratios.ts'
import { freshBytes } from '../values.ts'

const STEPS = 50
const LARGE = 100_000
const MEMORY = 'bailiwick, memory:'
const READ = 'bailiwick, sled:, read tools'
const WRITE = 'bailiwick, sled:, write tools'
const PUT = 'one durable put'

/** What a step of the loop costs: a model and a tool that answer at once. */
export async function loopSteps(conditions: Conditions): Promise<Finding> {
  const folder = join(conditions.folder, 'loop')
  mkdirSync(folder)
  const [memory, sled] = await Promise.all([openStore('memory:'), openStore(`sled:${folder}/bailiwick`)])
  const runtime = await ownAgent(sled, 'read', STEPS)
  const agents: AgentContender[] = [
    await contender(MEMORY, ownAgent(memory, 'read', STEPS)),
    await contender(READ, runtime),
    await contender(WRITE, ownAgent(sled, 'write', STEPS)),
    ...agentRivals(folder),
  ]
  const put: Contender = {
    name: PUT,
    items: STEPS,
    round: async () => {
      let bytes = 0
      for (let step = 0; step < STEPS; step += 1) {
        bytes += (await runtime.references.put('sample', freshBytes(256))).byteLength
      }
      return bytes
    },
  }
  const contenders: Contender[] = agents.map(({ name, run }) => ({
    name,
    items: STEPS,
    round: () => run(STEPS, () => 'ok'),
  }))
  const timings = await interleaved([...contenders, put], conditions.rounds)
  await Promise.all([memory.close(), sled.close()])
  const figures: Figure[] = [...timings].flatMap(([name, { min, median }]) => [
    { contender: name, what: 'median µs a step', value: median },
    { contender: name, what: 'minimum µs a step', value: min },
  ])
  const median = (name: string) => timings.get(name)?.median ?? Number.NaN
  const ratios: Ratio[] = [
    { of: `median µs a step of ${MEMORY}`, value: median(MEMORY), target: { atMost: 100 } },
    { of: `${READ} ÷ ${PUT}`, value: median(READ) / median(PUT), target: { atMost: 1.5 } },
    { of: `${WRITE} ÷ ${PUT}`, value: median(WRITE) / median(PUT), target: { atMost: 2.5 } },
    ...ratioOf(timings, 'LangGraph.js without a saver', MEMORY, { atLeast: 5 }),
    ...ratioOf(timings, 'LangGraph.js, SqliteSaver', READ, { atLeast: 20 }),
    ...ratioOf(timings, 'LangGraph.js, SqliteSaver, MessagesDeltaValue', READ, { atLeast: 8 }),
  ]
  return { row: 'a step of the agent loop', load: `${STEPS} steps a run, a tool call a step`, figures, ratios }
}

/** What is stored of large results, and whether a late step costs what an early one does. */
export async function loopBytes(conditions: Conditions): Promise<Finding> {
  const folder = join(conditions.folder, 'loop-bytes')
  mkdirSync(folder)
  const store = await openStore(`sled:${folder}/bailiwick`)
  const took: number[] = []
  const runtime = await ownAgent(store, 'read', STEPS, (step) => {
    took.push(performance.now())
    return freshBytes(LARGE).fill(step, 0, 1)
  })
  await runtime.query('go').result()
  await store.close()
  const stored = storedBytes(`${folder}/bailiwick`)
  const steps = took.slice(1).map((at, index) => at - (took[index] as number))
  const mean = (part: readonly number[]) => part.reduce((sum, value) => sum + value, 0) / part.length
  const [early, late] = [mean(steps.slice(0, 10)), mean(steps.slice(-10))]
  return {
    row: 'large results of an agent',
    load: `${STEPS} steps, a result of ${LARGE} B each`,
    figures: [
      { contender: 'bailiwick', what: 'stored bytes, all of the store', value: stored },
      { contender: 'bailiwick', what: 'ms a step, the first ten', value: early },
      { contender: 'bailiwick', what: 'ms a step, the last ten', value: late },
    ],
    ratios: [
      { of: 'stored ÷ bytes of the results', value: stored / (STEPS * LARGE), target: { atMost: 1.1 } },
      { of: 'a late step ÷ an early one', value: late / early, target: { atMost: 1.2 } },
    ],
  }
}

async function contender(name: string, runtime: Runtime | Promise<Runtime>): Promise<AgentContender> {
  const { query } = bound(await runtime)
  return {
    name,
    run: async () => {
      const result = await query('go').result()
      if (result.status !== 'completed') throw new Error(`The run is ${result.status}.`)
      return result.text.length
    },
  }
}

function bound(runtime: Runtime): Pick<Runtime, 'query'> {
  return { query: (request) => runtime.query(request) }
}
