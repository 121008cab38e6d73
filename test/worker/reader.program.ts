// Opens a store and tells how many of the given ids it finds.
import { setTimeout } from 'node:timers/promises'
import { createRuntime, defineRuntime, defineTenant, openStore, type Store, StoreLockedError } from 'bailiwick'

const [, , url, ...ids] = process.argv as [string, string, string, ...string[]]

/** What a terminated worker held is given back by other threads, soon after. */
async function openWhenUnlocked(): Promise<Store> {
  for (;;) {
    try {
      return await openStore(url)
    } catch (error) {
      if (!StoreLockedError.isInstance(error)) throw error
      await setTimeout(20)
    }
  }
}

const store = await openWhenUnlocked()
const runtime = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1') }), { store })
const found = await runtime.references.resolveMany(ids)
console.log(`found ${found.filter((one) => one !== undefined).length}`)
