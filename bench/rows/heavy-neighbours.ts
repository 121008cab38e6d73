import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import {
  createRuntime,
  defineReference,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type Model,
  openStore,
  type Runtime,
  type Store,
  withTenant,
} from 'bailiwick'
import type { Conditions, Finding } from '../finding.ts'
import { inFlight } from '../in-flight.ts'
import { median } from '../measure.ts'

const WARM_UP_MS = 300
const MEASURED_MS = 1_000
const MOVED = 1.5
const RECORDS = 3_000
const DELTAS = 60_000
const RESULT_ROWS = 130_000
const PUT_ROWS = 32_000
const DEPTH = 8
const usage = { inputTokens: 1, outputTokens: 1 }

interface Seen {
  readonly p50: number
  readonly p99: number
}

/** What somebody does over and over, so many at a time, until it is ended. */
interface Neighbour {
  readonly name: string
  readonly width: number
  readonly work: (index: number) => Promise<unknown>
}

/**
 * What a tenant with one small call at a time notices of others: of an equal one, and of each kind of heavy work. The
 * tenant has a JavaScript thread of its own; what is measured is the core.
 */
export async function heavyNeighbours(conditions: Conditions): Promise<Finding> {
  const folder = join(conditions.folder, 'heavy')
  mkdirSync(folder)
  const url = `sled:${folder}/bailiwick`
  const store = await openStore(url)
  const victim = new Worker(fileURLToPath(new URL('./victim.program.js', import.meta.url)), { workerData: { url } })
  await once(victim, 'message')
  const neighbours = await allNeighbours(store)
  const seen = new Map<string, Seen[]>(neighbours.map(({ name }) => [name, []]))
  for (let round = 0; round < conditions.rounds; round += 1) {
    for (const neighbour of neighbours) seen.get(neighbour.name)?.push(await beside(victim, neighbour))
  }
  victim.postMessage(0)
  await once(victim, 'exit')
  await store.close()
  const of = (name: string, what: keyof Seen) => seen.get(name)?.map((round) => round[what]) ?? []
  const equal = of('an equal', 'p99')
  const ratio = (name: string) => median(of(name, 'p99').map((late, round) => late / (equal[round] ?? Number.NaN)))
  return {
    row: 'one small call at a time beside heavy neighbours',
    load: `cache.get, 1 in flight; ${conditions.rounds} rounds of ${MEASURED_MS} ms beside each`,
    figures: neighbours.flatMap(({ name }) => [
      { contender: `beside ${name}`, what: 'p50 ms', value: median(of(name, 'p50')) },
      { contender: `beside ${name}`, what: 'p99 ms', value: median(of(name, 'p99')) },
    ]),
    ratios: neighbours
      .filter(({ name }) => name !== 'an equal')
      .map(({ name }) => ({
        of: `p99 beside ${name} ÷ beside an equal`,
        value: ratio(name),
        target: { atMost: MOVED },
      })),
  }
}

async function beside(victim: Worker, { width, work }: Neighbour): Promise<Seen> {
  let ended = false
  const lane = async (index: number) => {
    while (!ended) await work(index)
  }
  const lanes = Array.from({ length: width }, (_, index) => lane(index))
  await delay(WARM_UP_MS)
  victim.postMessage(MEASURED_MS)
  const [seen] = (await once(victim, 'message')) as [Seen]
  ended = true
  await Promise.all(lanes)
  return seen
}

async function allNeighbours(store: Store): Promise<Neighbour[]> {
  const rows = (count: number) =>
    Array.from({ length: count }, (_, id) => ({ id, name: `row ${id}`, text: 'x'.repeat(80), flag: id % 2 === 0 }))
  const small = await tenantOf(store, 'small')
  await small.cache.set('key', { small: true })
  const trees = await tenantOf(store, 'trees')
  const wrong = tree(DEPTH) as never
  const large = rows(RESULT_ROWS)
  const results = await runsOf(store, 'results', () => large)
  const talker = await runsOf(store, 'talker', () => 'ok', DELTAS)
  const ledger = await tenantOf(store, 'ledger')
  await fill(ledger)
  const lister = await tenantOf(store, 'lister')
  await inFlight(RECORDS, 64, (number) => lister.references.put('sample', { number }))
  const heavy = await Promise.all(['one', 'two', 'three', 'four'].map((name) => tenantOf(store, name)))
  let number = 0
  const query = async (runtime: Runtime) => {
    await runtime.query('Go').result()
  }
  return [
    { name: 'an equal', width: 1, work: () => small.cache.get('key') },
    {
      name: 'values that fit no alternative',
      width: 8,
      work: () => trees.references.put('tree', wrong).catch(() => undefined),
    },
    { name: 'results of 16 MiB', width: 6, work: () => query(results) },
    { name: `${DELTAS} deltas`, width: 2, work: () => query(talker) },
    { name: 'verify', width: 2, work: () => ledger.approvals.verify() },
    { name: 'a list of everything', width: 8, work: () => listAll(lister) },
    {
      name: 'four tenants with 4 MiB',
      width: 8,
      work: (index) => {
        number += 1
        return (heavy[index % heavy.length] as Runtime).references.put('sample', [{ number }, ...rows(PUT_ROWS)])
      },
    },
  ]
}

function tenantOf(store: Store, resourceId: string): Promise<Runtime> {
  const node = (op: string) => ({
    type: 'object',
    required: ['args', 'op'],
    properties: { args: { type: 'array', items: { $ref: '#' } }, op: { const: op } },
  })
  const schema = { anyOf: [node('or'), node('and'), { type: 'number' }] }
  const trees = defineReference({ name: 'tree', schema })
  const first = defineRuntime({
    tenant: defineTenant('first', 'v1'),
    references: [trees],
    limits: { pendingApprovals: 2 * RECORDS },
  })
  return createRuntime(withTenant(first, defineTenant(resourceId, 'v1')), { store })
}

function tree(depth: number): unknown {
  return depth === 0 ? 'wrong' : { args: [tree(depth - 1)], op: 'and' }
}

/** A tenant whose runs call a tool once, or say so many deltas of ids of their own. */
function runsOf(store: Store, tenant: string, result: () => unknown, deltas = 0): Promise<Runtime> {
  const tool = defineTool({ name: 'fetch', description: 'Fetches', input: { type: 'object' }, effects: 'read' })
  const agent = defineSpecialist({ name: 'worker', model: 'instant/any', prompt: 'Work.', tools: [tool] })
  const spec = defineRuntime({ tenant: defineTenant(tenant, 'v1'), agents: [agent] })
  const instant: Model = {
    async *stream({ messages }) {
      for (let id = 0; id < deltas; id += 1) yield { type: 'text.delta', id: `${id}`, delta: '' }
      if (deltas === 0 && !messages.some(({ role }) => role === 'tool')) {
        yield { type: 'tool.call', callId: 'call', tool: 'fetch', input: '{}' }
        yield { type: 'finish', reason: 'tool-calls', usage }
      } else {
        yield { type: 'finish', reason: 'stop', usage }
      }
    },
  }
  return createRuntime(spec, { store, tools: { fetch: result } as never, models: { instant } })
}

/** Fills a ledger with approvals that expire. */
async function fill({ approvals }: Runtime): Promise<void> {
  await inFlight(RECORDS, 64, async (order) => {
    await approvals.request({ tool: 'refund', input: { order } }, { requestedBy: 'bot', ttlMs: 1 })
  })
  while ((await approvals.pending({ limit: 1 })).items.length > 0);
}

async function listAll({ references }: Runtime): Promise<void> {
  let cursor: string | undefined
  do {
    cursor = (await references.list({ limit: 1_000, ...(cursor === undefined ? {} : { cursor }) })).cursor
  } while (cursor !== undefined)
}
