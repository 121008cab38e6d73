// Fills a tenant and erases it, for the test to kill it meanwhile. A neighbour is filled once and stays.
import { createRuntime, defineRuntime, defineTenant, openStore, type Runtime, type Store } from 'bailiwick'
import { contentOf } from './content.ts'

const [, , url] = process.argv as [string, string, string]
const store = await openStore(url)
const [acme, globex] = await Promise.all([runtimeFor(store, 'acme'), runtimeFor(store, 'globex')])
if ((await globex.usage()).storage.references.items === 0) await fill(globex)
await fill(acme)
console.log('erasing')
await acme.erase({ confirm: 'acme' })
console.log('erased')
setInterval(() => {}, 1000)

function runtimeFor(store: Store, resourceId: string): Promise<Runtime> {
  return createRuntime(defineRuntime({ tenant: defineTenant(resourceId, 'v1') }), { store })
}

async function fill({ references, approvals }: Runtime): Promise<void> {
  const items = Array.from({ length: 200 }, (_, index) => ({ type: 'thing', value: contentOf(index) }))
  await references.putMany(items)
  const { approvalId } = await approvals.request({ tool: 'pay', input: {} })
  await approvals.respond(approvalId, { decision: 'approve', actor: 'ann' })
}
