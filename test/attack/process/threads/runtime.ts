import { createRuntime, defineRuntime, defineTenant } from '../../../../ts/index.ts'

/** What a user's test does, in whatever thread the test runner chose. */
export async function runtimeInThread(): Promise<unknown> {
  const spec = defineRuntime({ tenant: defineTenant('acme', 'v1') })
  await using runtime = await createRuntime(spec, { store: 'memory:' })
  const { id } = await runtime.references.put('note', { text: 'hello' })
  return (await runtime.references.resolve(id)).json()
}
