// Runs agents of many tenants at once, each of whose steps has a large result, and prints how late the event loop was
// meanwhile and what the process held. Parameters: the contender, tenants, steps, bytes a step, a folder.
import process from 'node:process'
import { openStore } from 'bailiwick'
import { type AgentContender, agentRivals } from './contenders/agents.ts'
import { ownAgent } from './contenders/own-agent.ts'
import { type Lag, lagDuring } from './lag.ts'
import { changingRows, changingText } from './values.ts'

/** The output of a contender's process. */
export interface AtOnce {
  readonly lag: Lag
  readonly seconds: number
  /** Peak memory of the process in bytes, including Node and the store's cache. */
  readonly resident: number
}

/** The idle contender, which shows the lag that the machine itself causes. */
const NOTHING = 'nothing going on'

const [name = '', folder = ''] = process.argv.slice(2)
const [tenants = 0, steps = 0, bytes = 0] = process.argv.slice(4).map(Number)

/** Starts one run per tenant. Returns nothing if the contender is not installed. */
async function runsOfAll(): Promise<(() => Promise<unknown>) | undefined> {
  if (!name.startsWith('bailiwick')) {
    const rival = agentRivals(folder).find((contender: AgentContender) => contender.name === name)
    const run = () => rival?.run(steps, changingText(bytes))
    return rival && (() => Promise.all(Array.from({ length: tenants }, run)))
  }
  const store = await openStore(`sled:${folder}/bailiwick`)
  const results = name.endsWith('JSON') ? changingRows : changingText
  const runtimes = await Promise.all(
    Array.from({ length: tenants }, (_, index) => ownAgent(store, 'read', steps, results(bytes), `tenant-${index}`)),
  )
  return async () => {
    const results = await Promise.all(runtimes.map((runtime) => runtime.query('go').result()))
    for (const { status } of results) if (status !== 'completed') throw new Error(`A run is ${status}.`)
  }
}

const work = name === NOTHING ? () => new Promise((resolve) => setTimeout(resolve, 1000)) : await runsOfAll()
if (work === undefined) {
  console.log('null')
} else {
  const start = performance.now()
  const lag = await lagDuring(work)
  const seconds = (performance.now() - start) / 1000
  const found: AtOnce = { lag, seconds, resident: process.resourceUsage().maxRSS * 1024 }
  console.log(JSON.stringify(found))
}
process.exit()
