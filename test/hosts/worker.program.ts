// Sends the requests of scenarios, decides and settles, and does the work, until its standard input ends; then it waits until every
// scenario is over. No code here resumes a run: the host does. The test kills it. With `report` it only prints what the store holds.
import { randomUUID } from 'node:crypto'
import process from 'node:process'
import { createHost, openStore } from 'bailiwick'
import { handlersOf, modelOf, topology } from './kills/agent.ts'
import { Clients } from './kills/clients.ts'
import { printReport } from './kills/report.ts'
import { tenants } from './kills/scenarios.ts'
import { World } from './kills/world.ts'

/** Scenarios of a tenant that are open at a time: few if processes are killed, so that each is killed in many of its points. */
const AT_ONCE = { endless: 4, counted: 16 }

/** The first attempts of a tool that is retried fail, and people decline to answer. */
function isPlanned(error: unknown, tool: string | undefined): boolean {
  return tool === 'flaky' || (error instanceof Error && 'code' in error && error.code === 'DECLINED')
}

// `counts`: how many scenarios each tenant has; `endless`: new ones until the standard input ends; `report`: none.
const [, , url, worldFile, seed, counts] = process.argv as [string, string, string, string, string, string]
const world = new World(worldFile)
const name = randomUUID()
const store = await openStore(url)
const host = await createHost(topology, {
  store,
  models: { test: modelOf(world) },
  tools: handlersOf(world, name),
  onError: (error, { tool }) => isPlanned(error, tool) || console.error(error),
})

if (counts === 'report') {
  await printReport(store, host, world)
} else {
  let isEnding = false
  process.stdin.on('end', () => {
    isEnding = true
  })
  process.stdin.resume()
  const limits: Record<string, number> | undefined = counts === 'endless' ? undefined : JSON.parse(counts)
  await host.start()
  const work = tenants.map(async (tenant) => {
    const clients = new Clients(await host.runtime(tenant), tenant, world, Number(seed), name)
    if (limits === undefined) await clients.work(AT_ONCE.endless, () => !isEnding)
    else await clients.work(AT_ONCE.counted, (number) => number < (limits[tenant] ?? 0))
  })
  await Promise.all(work)
  process.stdin.destroy()
}
await host.close()
await store.close()
