import {
  BailiwickError,
  createRuntime,
  defineReference,
  defineRuntime,
  defineTenant,
  openStore,
  type Reference,
} from 'bailiwick'

const spec = defineRuntime({
  tenant: defineTenant('acme', 'v1'),
  references: [defineReference({ name: 'movies', ttlMs: 1_000 })],
})

export async function firstReference(): Promise<Reference | undefined> {
  const store = await openStore('memory:')
  try {
    const telemetry = { attributes: () => ({ region: 'north' }), recordContent: false }
    const runtime = await createRuntime(spec, { store, telemetry })
    const reference = await runtime.references.put('movies', [{ title: 'Metropolis' }])
    const kept: string = reference.id
    // @ts-expect-error a handle serves one tenant: no verb takes another
    await runtime.references.resolve(kept, { tenant: 'globex' })
    return reference
  } catch (error) {
    if (BailiwickError.isInstance(error)) return undefined
    throw error
  } finally {
    await store.close()
  }
}
