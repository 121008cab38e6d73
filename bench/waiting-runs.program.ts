// Runs that wait, and a host. `fill` begins them and closes the store; `host` starts a host on it and prints what it takes, when the runs
// are due. Parameters: fill, the place, runs, tenants, the first time at which a run is due, and milliseconds over which the others
// are; or host, the place, and seconds to stay.
import process from 'node:process'
import { createHost, defineRuntime, defineSpecialist, defineTenant, defineTool, type Model, waitFor } from 'bailiwick'
import { resident } from './memory.ts'

/** What a host measured. */
export interface WaitingRuns {
  /** Resident bytes after garbage collection: before the host was started, and at the end. */
  readonly before: number
  readonly after: number
  /** Milliseconds from the time at which a run was due until a host took it, in ascending order. */
  readonly late: readonly number[]
  /** Runs that ended. */
  readonly ended: number
  readonly refused: number
}

const [what = '', place = '', ...numbers] = process.argv.slice(2)
const nap = defineTool({ name: 'nap', description: 'Waits', input: { type: 'object' } })
const clerk = defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Wait.', tools: [nap] })
const usage = { inputTokens: 1, outputTokens: 1 }
const model: Model = {
  async *stream({ messages }) {
    const isDone = messages.at(-1)?.role === 'tool'
    if (isDone) yield { type: 'text.delta', id: 't', delta: 'Done.' }
    else yield { type: 'tool.call', callId: '1', tool: 'nap', input: '{}' }
    yield { type: 'finish', reason: isDone ? 'stop' : 'tool-calls', usage }
  },
}

let due = 0
let between = 0
const late: number[] = []
const host = await createHost(defineRuntime({ tenant: defineTenant('any', 'v1'), agents: [clerk] }), {
  store: `sled:${place}`,
  models: { test: model },
  maxOpen: 64,
  tools: {
    nap: (_, { resumed }) => {
      if (resumed !== undefined) return 'over'
      due += between
      return waitFor.time({ until: Math.floor(due) })
    },
  },
  onEvent: (event) => {
    if (event.type === 'run.taken') late.push(event.waitedMs)
  },
})

if (what === 'fill') {
  const [runs = 0, tenants = 1, first = 0, spread = 0] = numbers.map(Number)
  due = first
  between = spread / runs
  const width = 64
  for (let from = 0; from < runs; from += width) {
    const some = Array.from({ length: Math.min(width, runs - from) }, async (_, at) => {
      // A tenant's runs one after the other, so that few handles are open at a time.
      const tenant = await host.runtime(`tenant-${Math.floor(((from + at) * tenants) / runs)}`)
      return await tenant.query('Go').result()
    })
    await Promise.all(some)
  }
  await host.close()
  console.log('{}')
} else {
  const [seconds = 0] = numbers.map(Number)
  const before = resident()
  await host.start()
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  const { ended, refused } = host.stats()
  const found: WaitingRuns = { before, after: resident(), late: late.toSorted((a, b) => a - b), ended, refused }
  await host.close()
  console.log(JSON.stringify(found))
}
