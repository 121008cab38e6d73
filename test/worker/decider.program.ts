// Decides about approvals through two handles, many times each, as soon as it is told, and tells what came of it.
import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'
import { BailiwickError, createRuntime, defineRuntime, defineTenant, openStore } from 'bailiwick'

const { url, approvalIds, calls, name } = workerData as {
  url: string
  approvalIds: string[]
  calls: number
  name: string
}
const port = parentPort
if (port === null) throw new Error('This runs as a worker.')
const store = await openStore(url)
const spec = defineRuntime({ tenant: defineTenant('acme', 'v1') })
const runtimes = await Promise.all([createRuntime(spec, { store }), createRuntime(spec, { store })])
port.postMessage('ready')
await once(port, 'message')
const outcomes = await Promise.all(
  approvalIds.flatMap((approvalId) =>
    Array.from({ length: calls }, async (_, call) => {
      const decision = call % 4 < 2 ? 'approve' : 'reject'
      try {
        return await runtimes[call % 2]?.approvals.respond(approvalId, { decision, actor: `${name} ${call}` })
      } catch (error) {
        return BailiwickError.isInstance(error) ? error.code : String(error)
      }
    }),
  ),
)
port.postMessage(JSON.stringify(outcomes))
await store.close()
port.close()
