// src/main.ts
import { createRuntime } from 'bailiwick'
import { spec } from './agents.ts'
import { loadModels } from './models.ts'
import { pay } from './payments.ts'

const acme = await createRuntime(spec, {
  store: './data',
  models: await loadModels(),
  tools: {
    charge(input, { idempotencyKey }) {
      const receipt = pay(input, idempotencyKey)
      if (receipt.isRepeated) return receipt
      console.log(`charged ${input.customer} ${input.euros} euros, and now kill -9`)
      process.kill(process.pid, 'SIGKILL') // the worst moment: the result is not stored yet
      return receipt
    },
  },
})

const [interrupted] = (await acme.runs.list({ status: 'interrupted' })).items
const [pending] = (await acme.approvals.pending()).items
if (pending) await acme.approvals.respond(pending.approvalId, { decision: 'approve', actor: 'lee' })
const runId = interrupted?.runId ?? pending?.runId
const run = runId ? acme.runs.resume(runId) : acme.query('Charge kim 42 euros')
const result = await run.result()
if (result.status === 'suspended') console.log('suspended', result.approvals[0]?.subject)
else console.log(result.status, result.status === 'failed' ? result.error : result.text)
await acme.close()
