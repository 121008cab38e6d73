import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRuntime, defineRuntime, defineTenant } from 'bailiwick'

/** Stores a value on disk and gives back what a runtime finds under its id. */
export async function storeAndFind() {
  const folder = mkdtempSync(join(tmpdir(), 'bailiwick-stored-'))
  try {
    const spec = defineRuntime({ tenant: defineTenant('acme', 'v1') })
    const runtime = await createRuntime(spec, { store: `sled:${join(folder, 'store')}` })
    const { id } = await runtime.references.put('greeting', { hello: 'world' })
    const found = await runtime.references.resolve(id)
    await runtime.close()
    return found.json()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
