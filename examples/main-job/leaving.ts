import { strictEqual } from 'node:assert/strict'
import {
  ClosedError,
  createRuntime,
  defineTenant,
  type Runtime,
  type Store,
  verifyReceipt,
  withTenant,
} from 'bailiwick'
import type { DataSet } from './data-sets.ts'
import { load } from './load.ts'
import { megabytes, Progress, tick } from './terminal.ts'

/** Erases a tenant while another tenant keeps writing. */
export async function leave(store: Store, staying: Runtime, dataSet: DataSet): Promise<void> {
  const spec = withTenant(staying.spec, defineTenant('leaving', 'v1'))
  const runtime = await createRuntime(spec, { store })
  const progress = new Progress(dataSet.name, dataSet.file.byteLength)
  const { file } = await load(runtime, dataSet, progress)
  progress.end()

  const other = keepBusy(staying)
  const receipt = await runtime.erase({ confirm: 'leaving' })
  const calls = await other.stop()
  strictEqual(receipt.complete, true)
  strictEqual(verifyReceipt(JSON.parse(JSON.stringify(receipt)), store.publicKey), true)
  const { items, bytes } = receipt.storage.references
  tick(`a tenant is erased: ${items} references, ${megabytes(bytes)}; the store's signature on the receipt holds`)
  tick(`${staying.tenant.resourceId} went on working meanwhile: it stored ${calls} values`)

  const gone = await runtime.references.resolve(file.id).catch((error: unknown) => error)
  strictEqual(gone instanceof ClosedError, true)
  const afresh = await createRuntime(spec, { store })
  strictEqual((await afresh.usage()).storage.references.items, 0)
  const [again] = await afresh.references.putMany([{ type: 'file', value: dataSet.file, mediaType: dataSet.mediaType }])
  strictEqual(again?.id === file.id, false)
  await afresh.erase({ confirm: 'leaving' })
  tick('its name starts afresh: nothing is there, and the same content has another id')
}

/** Puts values until it is stopped, and returns their number. */
function keepBusy({ references }: Runtime): { stop(): Promise<number> } {
  let stopped = false
  const work = (async () => {
    let calls = 0
    for (; !stopped || calls === 0; calls += 1) await references.put('note', `while another leaves: ${calls}`)
    return calls
  })()
  return {
    stop: () => {
      stopped = true
      return work
    },
  }
}
