import { Buffer } from 'node:buffer'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createRuntime, defineRuntime, defineTenant, openStore, type Runtime } from 'bailiwick'
import { storedBytes } from '../disk.ts'
import type { Conditions, Figure, Finding, Ratio } from '../finding.ts'
import { inFlight } from '../in-flight.ts'
import { type Contender, interleaved, type Timing } from '../measure.ts'
import { figuresOf, ratioOf } from '../ratios.ts'
import { shuffled } from '../values.ts'

const FEW = 1000
const DECISIONS = 100
const PROOFS = 200
const VERIFICATIONS = 3
/** So many wait at once while a ledger is filled. */
const BATCH = 10_000

const decision = { decision: 'approve', actor: 'kim@example.com', reason: 'Within what was agreed.' } as const

/** What the ledger of approvals costs when it is long: a decision, a proof, its bytes, and reading all of it again. */
export async function ledger(conditions: Conditions): Promise<Finding> {
  const folder = join(conditions.folder, 'ledger')
  mkdirSync(folder)
  const many = conditions.ledgerRecords
  const store = await openStore(`sled:${join(folder, 'many')}`)
  const fewStore = await openStore(`sled:${join(folder, 'few')}`)
  const spec = defineRuntime({ tenant: defineTenant('acme', 'v1'), limits: { pendingApprovals: 2 * BATCH } })
  const [long, short] = [await createRuntime(spec, { store }), await createRuntime(spec, { store: fewStore })]
  await fill(short, FEW)
  await fill(long, many)

  const deciding = [decide('decide, in 1,000', short), decide(`decide, in ${many}`, long)]
  const appends = await interleaved(deciding, conditions.rounds)
  const proofs = await interleaved([prove(long, many)], conditions.rounds)
  const { size } = await long.approvals.checkpoint()
  const verifications = await interleaved([verify(long, size)], VERIFICATIONS)
  const proof = Buffer.byteLength(JSON.stringify(await long.approvals.prove(size - 1 - DECISIONS / 2)))
  await store.close()
  await fewStore.close()
  const bytes: Figure[] = [
    { contender: 'proof of a decision', what: 'bytes of JSON', value: proof },
    { contender: 'ledger', what: 'stored bytes a record', value: storedBytes(join(folder, 'many')) / size },
  ]
  const timings = [appends, proofs, verifications]
  return {
    row: `approval ledger of ${many} records`,
    load: `one tenant; ${DECISIONS} decisions and ${PROOFS} proofs a round, ${conditions.rounds} rounds; ${VERIFICATIONS} verifications`,
    figures: [...timings.flatMap(figuresOf), ...bytes],
    ratios: [
      ...ratioOf(appends, `decide, in ${many}`, 'decide, in 1,000', { atMost: 2 }),
      ...bound('milliseconds to prove', proofs, 1 / 1000, 1),
      { of: 'bytes of a proof', value: proof, target: { atMost: 1536 } },
      // Microseconds a record are seconds a million.
      ...bound('seconds to verify a million', verifications, 1, 5),
    ],
  }
}

/** Asks for so many approvals and lets them expire: a record for each. */
async function fill({ approvals }: Runtime, count: number): Promise<void> {
  for (let done = 0; done < count; done += BATCH) {
    await inFlight(Math.min(BATCH, count - done), 64, async (index) => {
      await approvals.request({ tool: 'refund', input: { order: done + index } }, { requestedBy: 'bot', ttlMs: 1 })
    })
    while ((await approvals.pending({ limit: 1 })).items.length > 0);
  }
  const { size } = await approvals.checkpoint()
  if (size !== count) throw new Error(`The ledger has ${size} records, not ${count}.`)
}

function decide(name: string, { approvals }: Runtime): Contender {
  let waiting: string[] = []
  return {
    name,
    items: DECISIONS,
    prepare: async () => {
      waiting = []
      for (let asked = 0; asked < DECISIONS; asked += 1) {
        waiting.push((await approvals.request({ tool: 'refund', input: { order: asked } })).approvalId)
      }
    },
    round: async () => {
      let sum = 0
      for (const approvalId of waiting) {
        const record = await approvals.respond(approvalId, decision)
        if (record.decision !== 'pending') sum += record.sequence
      }
      return sum
    },
  }
}

function prove({ approvals }: Runtime, size: number): Contender {
  const order = shuffled(size)
  return {
    name: 'prove',
    items: PROOFS,
    round: async (round) => {
      let sum = 0
      for (let index = 0; index < PROOFS; index += 1) {
        const sequence = order[((round + 1) * PROOFS + index) % size] as number
        sum += (await approvals.prove(sequence)).path.length
      }
      return sum
    },
  }
}

function verify({ approvals }: Runtime, size: number): Contender {
  return {
    name: 'verify, a record',
    items: size,
    round: async () => {
      const report = await approvals.verify()
      if (!report.ok) throw new Error('The ledger is damaged.')
      return report.size
    },
  }
}

/** A median, times `factor`, against the most that it may be. */
function bound(of: string, timings: ReadonlyMap<string, Timing>, factor: number, atMost: number): Ratio[] {
  return [...timings.values()].map(({ median }) => ({ of, value: median * factor, target: { atMost } }))
}
