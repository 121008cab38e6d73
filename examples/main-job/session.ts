import { deepStrictEqual, strictEqual } from 'node:assert/strict'
import {
  type Approval,
  createRuntime,
  defineRuntime,
  defineTenant,
  InvalidInputError,
  type RunEvent,
  type Runtime,
  type Store,
  verifyInclusion,
  withTenant,
} from 'bailiwick'
import { agentsOn, toolsFor } from './agents.ts'
import type { Holding } from './checks.ts'
import type { SessionModel } from './model.ts'
import { step, tick } from './terminal.ts'

const QUESTION = 'In which phases of flight are birds struck most often at night?'

/** Two tenants ask the same agents the same question. Each plan is shown, approved by a person, run and proved. */
export async function analystSession(
  store: Store,
  holdings: readonly Holding[],
  { name, model, note }: SessionModel,
): Promise<void> {
  step(`  ${note}\n`)
  const topology = defineRuntime({ tenant: defineTenant('topology', 'v1'), agents: agentsOn(name) })
  const provider = name.slice(0, name.indexOf('/'))
  const answers: string[] = []
  for (const { runtime: held, loaded } of holdings.slice(0, 2)) {
    const spec = withTenant(topology, held.tenant)
    const runtime: Runtime = await createRuntime(spec, {
      store,
      models: { [provider]: model },
      tools: toolsFor(() => loaded),
      approve: async (approval) => {
        await show(runtime, approval)
        return { decision: 'approve', actor: 'an editor (played by this job)', reason: 'It only reads.' }
      },
    })
    step(`\n${runtime.tenant.resourceId} asks: ${QUESTION}\n`)
    const answer = await ask(runtime)
    answers.push(answer)
    tick(`${runtime.tenant.resourceId} asked: ${QUESTION}`)
    tick(`its agents answered: ${answer}`)
    await prove(store, runtime)
    await runtime.close()
  }
  deepStrictEqual(answers[0], answers[1])
  tick('both tenants got the same answer, each from its own copy of the data')
}

async function ask(runtime: Runtime): Promise<string> {
  const run = runtime.query({ prompt: QUESTION, actor: 'an analyst' })
  for await (const event of run) render(event)
  const result = await run.result()
  if (result.status === 'failed' && result.error.code === 'MODEL_FAILED') {
    throw new InvalidInputError(`The model did not answer: ${result.error.message}`)
  }
  if (result.status !== 'completed') throw new Error(`The run is ${result.status}: ${JSON.stringify(result)}`)
  const { items } = await runtime.traces.list({ runId: run.runId, limit: 1 })
  strictEqual(items[0]?.type, 'run.completed')
  return result.text
}

let isWriting = false

/** Prints one line per event, and model output as it arrives. */
function render(event: RunEvent): void {
  if (event.type === 'text.delta' || event.type === 'reasoning.delta') {
    step(isWriting ? event.delta : `    ${event.agent} says: ${event.delta}`)
    isWriting = true
    return
  }
  if (isWriting) step('\n')
  isWriting = false
  const line = describe(event)
  if (line !== undefined) step(`    ${String('sequence' in event ? event.sequence : '').padStart(2)} ${line}\n`)
}

function describe(event: RunEvent): string | undefined {
  switch (event.type) {
    case 'agent.started':
      return `${event.agent} begins`
    case 'tool.called':
      return `calls ${event.tool} ${JSON.stringify(event.input).slice(0, 90)}`
    case 'tool.completed':
      return event.reference === undefined ? undefined : `its result is kept as ${event.reference}`
    case 'tool.failed':
      return `it failed: ${event.error.message}`
    case 'plan.saved':
      return `a plan is saved: version ${event.version}, hash ${event.hash.slice(0, 12)}…`
    case 'approval.decided':
      return `${event.record.decision} by ${event.record.actor}`
    case 'run.completed':
      return `answer: ${event.text}`
    default:
      return undefined
  }
}

/** The plan as the approver sees it. */
async function show(runtime: Runtime, { subject }: Approval): Promise<void> {
  if (!('planId' in subject)) return
  const { goal, steps } = await runtime.plans.load(subject.planId)
  step(`       to approve: ${goal}\n`)
  for (const { id, tool, input } of steps) step(`         ${id}: ${tool} ${JSON.stringify(input)}\n`)
}

async function prove(store: Store, { approvals }: Runtime): Promise<void> {
  const { size } = await approvals.checkpoint()
  const proof = await approvals.prove(size - 1)
  strictEqual(verifyInclusion(JSON.parse(JSON.stringify(proof)), store.publicKey), true)
  tick(
    `a person approved their plan first: record ${proof.record.sequence} of the tenant’s ledger, proved with the store’s public key alone`,
  )
}
